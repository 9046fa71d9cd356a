import {
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  lchownSync,
  chmodSync,
  openSync,
  readlinkSync,
  readSync,
  symlinkSync,
  writeSync,
  type BigIntStats,
} from 'node:fs';
import { getAttribute, listAttributes, makeNode, setAttribute, setTimes, SystemCallError } from '../../../base/system-calls.ts';
import { pathOf } from '../../../oci/file-name.ts';

/** Copies all but directories, with everything that belongs to it; bytes are shared where the file system can (ioctl_ficlone(2)). */
export function copyEntry(source: string, stats: BigIntStats, target: string): void {
  if (stats.isFile()) copyBytes(source, stats, target);
  else if (stats.isSymbolicLink()) symlinkSync(readlinkSync(pathOf(source), { encoding: 'buffer' }), pathOf(target));
  else makeNode(pathOf(target), Number(stats.mode), ...deviceNumbers(stats.rdev));
  copyProperties(source, stats, target);
}

/** Owner, mode, attributes and times. */
export function copyProperties(source: string, stats: BigIntStats, target: string): void {
  lchownSync(pathOf(target), Number(stats.uid), Number(stats.gid));
  if (!stats.isSymbolicLink()) chmodSync(pathOf(target), Number(stats.mode & 0o7777n)); // after the owner, who changes takes set-uid bits away
  copyAttributes(source, target);
  copyTimes(stats, target);
}

export function copyTimes(stats: BigIntStats, target: string): void {
  const second = 1_000_000_000n;
  const nanoseconds = ((stats.mtimeNs % second) + second) % second;
  setTimes(pathOf(target), Number((stats.mtimeNs - nanoseconds) / second), Number(nanoseconds));
}

/** Without those that speak to overlayfs, and those that the machine gives by itself. */
function copyAttributes(source: string, target: string): void {
  for (const name of listAttributes(pathOf(source))) {
    if (/^(?:trusted|user)\.(?:overlay|fuseoverlayfs)\.|^security\.selinux$/.test(name)) continue;
    const value = getAttribute(pathOf(source), name);
    try {
      if (value) setAttribute(pathOf(target), name, value);
    } catch (error) {
      if (!(error instanceof SystemCallError && error.code === 'EOPNOTSUPP')) throw error;
    }
  }
}

function copyBytes(source: string, stats: BigIntStats, target: string): void {
  if (stats.blocks * 512n < stats.size) copySparsely(source, target);
  else copyFileSync(pathOf(source), pathOf(target), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
}

/** What is zero stays a hole. */
function copySparsely(source: string, target: string): void {
  const from = openSync(pathOf(source), constants.O_RDONLY | constants.O_NOFOLLOW);
  const to = openSync(pathOf(target), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    const buffer = Buffer.allocUnsafe(64 * 1024);
    const zeros = Buffer.alloc(buffer.length);
    let position = 0;
    for (let length = readSync(from, buffer); length > 0; length = readSync(from, buffer)) {
      if (buffer.compare(zeros, 0, length, 0, length) !== 0)
        for (let done = 0; done < length;) done += writeSync(to, buffer, done, length - done, position + done);
      position += length;
    }
    ftruncateSync(to, fstatSync(from).size);
  } finally {
    closeSync(from);
    closeSync(to);
  }
}

/** gnu_dev_major(3), gnu_dev_minor(3). */
function deviceNumbers(device: bigint): [number, number] {
  return [Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)), Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn))];
}
