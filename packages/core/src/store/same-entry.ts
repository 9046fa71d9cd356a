import { closeSync, constants, openSync, readlinkSync, readSync, type BigIntStats } from 'node:fs';
import { getAttribute, listAttributes } from '../base/system-calls.ts';
import { pathOf } from '../oci/file-name.ts';

/** An entry of a file system and what `lstat` says of it. */
export interface Entry {
  readonly path: string;
  readonly stats: BigIntStats;
}

/** Whether two entries are alike to whoever looks: type, mode, owner, attributes, size, content, target, device; times are the caller's. */
export function isSameEntry(a: Entry, b: Entry): boolean {
  const [one, other] = [a.stats, b.stats];
  if (one.mode !== other.mode || one.uid !== other.uid || one.gid !== other.gid) return false;
  if (!one.isDirectory() && (one.size !== other.size || one.rdev !== other.rdev)) return false;
  if (one.isSymbolicLink() && !readTarget(a.path).equals(readTarget(b.path))) return false;
  return attributesOf(a.path) === attributesOf(b.path) && (!one.isFile() || hasSameBytes(a.path, b.path));
}

/** Whole seconds since 1970, rounded down as archives have them. */
export function modifiedSeconds({ mtimeNs }: BigIntStats): number {
  const second = 1_000_000_000n;
  const rest = ((mtimeNs % second) + second) % second;
  return Number((mtimeNs - rest) / second);
}

/** Without those that overlayfs, or a program that does its work, writes for itself. */
function attributesOf(path: string): string {
  return listAttributes(pathOf(path))
    .filter((name) => !/^(?:trusted|user)\.(?:overlay|fuseoverlayfs)\./.test(name))
    .toSorted()
    .map((name) => `${name}=${getAttribute(pathOf(path), name)?.toString('base64') ?? ''}`)
    .join('\n');
}

function readTarget(path: string): Buffer {
  return readlinkSync(pathOf(path), { encoding: 'buffer' });
}

const chunk = 256 * 1024;
let buffers: readonly [Buffer, Buffer] | undefined;

function hasSameBytes(a: string, b: string): boolean {
  const [one, other] = (buffers ??= [Buffer.allocUnsafeSlow(chunk), Buffer.allocUnsafeSlow(chunk)]);
  const first = openSync(pathOf(a), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const second = openSync(pathOf(b), constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      for (;;) {
        const length = readSync(first, one, 0, chunk, null);
        if (length !== readSync(second, other, 0, chunk, null) || one.compare(other, 0, length, 0, length) !== 0) return false;
        if (length === 0) return true;
      }
    } finally {
      closeSync(second);
    }
  } finally {
    closeSync(first);
  }
}
