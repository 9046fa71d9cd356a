import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  unlinkSync,
  type Stats,
} from 'node:fs';
import { UserError } from '../../base/errors.ts';
import { setTimes } from '../../base/system-calls.ts';
import { decodeName, pathOf } from '../../oci/file-name.ts';
import type { Owner } from './tree.ts';

export interface CopyBetweenOptions {
  readonly ownerOf: (owner: Owner) => Owner;
  /** Hears of devices, pipes and sockets, and of what is in /proc and /sys, which are left out. */
  readonly onLeftOut: (name: string) => void;
}

/**
 * Copies `from` to `to`, over what is there: a directory into one of that name, everything else in the place of what has the
 * name. Either side may be a tree that a hostile container changes meanwhile: each directory is opened from the one that holds it, so
 * that no link is followed on either side. Both paths are one name in an open directory (`/proc/self/fd/N/name`), or a directory itself.
 * @throws UserError BAD_VALUE where a file would have to become a directory, or the other way round, or take the place of a device or pipe
 */
export function copyBetween(from: string, to: string, options: CopyBetweenOptions): void {
  const stats = lstatSync(pathOf(from));
  if (stats.isDirectory()) return copyDirectory(from, to, stats, options);
  if (!stats.isSymbolicLink() && !stats.isFile()) return options.onLeftOut(from.slice(from.lastIndexOf('/') + 1));
  const there = lstatSync(pathOf(to), { throwIfNoEntry: false });
  if (there?.isDirectory()) throw inTheWay(to, 'a directory');
  if (there && !there.isFile() && !there.isSymbolicLink()) throw inTheWay(to, 'a device, a pipe or a socket');
  if (stats.isSymbolicLink()) copyLink(from, to, stats, options);
  else copyFile(from, to, options);
}

/** What is in a directory goes into one that is there. */
export function copyContent(from: string, to: string, options: CopyBetweenOptions): void {
  for (const bytes of readdirSync(pathOf(from), { encoding: 'buffer' })) {
    const name = decodeName(bytes);
    copyBetween(`${from}/${name}`, `${to}/${name}`, options);
  }
}

function copyDirectory(from: string, to: string, stats: Stats, options: CopyBetweenOptions): void {
  const there = lstatSync(pathOf(to), { throwIfNoEntry: false });
  if (there && !there.isDirectory()) throw inTheWay(to, 'no directory');
  if (!there) mkdirSync(pathOf(to), { mode: 0o700 });
  const source = openDirectory(from);
  try {
    const target = openDirectory(to);
    try {
      if (isKernels(source)) options.onLeftOut(from.slice(from.lastIndexOf('/') + 1));
      else copyContent(`/proc/self/fd/${source}`, `/proc/self/fd/${target}`, options);
      if (!there) finish(target, stats, options);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

/** What a kernel tells by way of files is nothing to keep: as Docker, only the directory is copied. */
function isKernels(descriptor: number): boolean {
  const { type } = statfsSync(`/proc/self/fd/${descriptor}`);
  return kernelTypes.has(type);
}

/** statfs(2): of proc, sysfs, and control groups of both versions. */
const kernelTypes: ReadonlySet<number> = new Set([0x9fa0, 0x62656572, 0x27e0eb, 0x63677270]);

function copyFile(from: string, to: string, options: CopyBetweenOptions): void {
  const source = openSync(pathOf(from), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const part = `${to.slice(0, to.lastIndexOf('/'))}/.devenv-${randomBytes(6).toString('hex')}`;
  try {
    const stats = fstatSync(source);
    if (!stats.isFile()) return;
    if (isKernels(source)) return options.onLeftOut(from.slice(from.lastIndexOf('/') + 1));
    copyFileSync(`/proc/self/fd/${source}`, pathOf(part), constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const target = openSync(pathOf(part), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      finish(target, stats, options);
    } finally {
      closeSync(target);
    }
    renameSync(pathOf(part), pathOf(to));
  } catch (error) {
    rmSync(pathOf(part), { force: true });
    throw error;
  } finally {
    closeSync(source);
  }
}

function copyLink(from: string, to: string, stats: Stats, { ownerOf }: CopyBetweenOptions): void {
  const target = readlinkSync(pathOf(from), { encoding: 'buffer' });
  if (lstatSync(pathOf(to), { throwIfNoEntry: false })) unlinkSync(pathOf(to));
  symlinkSync(target, pathOf(to));
  const { uid, gid } = ownerOf(stats);
  lchownSync(pathOf(to), uid, gid);
}

/** The owner first: who changes it takes set-user-id bits away. */
function finish(descriptor: number, stats: Stats, { ownerOf }: CopyBetweenOptions): void {
  const { uid, gid } = ownerOf(stats);
  fchownSync(descriptor, uid, gid);
  fchmodSync(descriptor, stats.mode & 0o7777);
  setTimes(descriptor, Math.floor(stats.mtimeMs / 1000), 0);
}

function openDirectory(path: string): number {
  return openSync(pathOf(path), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
}

function inTheWay(path: string, what: string): UserError {
  return new UserError(
    'BAD_VALUE',
    `What is to be copied cannot take the place of ${path.slice(path.lastIndexOf('/') + 1)}: that is ${what}.`,
  );
}
