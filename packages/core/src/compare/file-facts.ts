import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { pathOf } from '../oci/file-name.ts';

/** What a file system says of one entry, however it came here. */
export interface FileFact {
  readonly type: 'file' | 'directory' | 'symlink' | 'character-device' | 'block-device' | 'fifo';
  /** Permission bits with set-user-id, set-group-id and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** When it was changed, in whole seconds since 1970: compared only where bytes of archives are. */
  readonly seconds: number;
  /** Of a symlink. */
  readonly target?: string;
  /** `1:3`. */
  readonly device?: string;
  /** Extended attributes in one canonical text; empty: none. */
  readonly attributes: string;
  readonly content?: Content;
  /** One more name of a file that was told of before: its bytes count once. */
  readonly again?: true;
}

/** The bytes of a file. The same object is the same bytes. */
export interface Content {
  readonly size: number;
  sha256(): string;
  /** Undefined when they are not at hand any more. */
  bytes(): Buffer | undefined;
}

/** What one layer says, paths relative to the root. What it removes and hides is of the layers below. */
export interface LayerFacts {
  readonly files: ReadonlyMap<string, FileFact>;
  readonly removed: ReadonlySet<string>;
  /** Directories that show nothing of the layers below. */
  readonly opaque: ReadonlySet<string>;
}

/** Files that are read for what they say, not only compared: databases of packages, the C library. */
export function isTelling(path: string): boolean {
  return telling.test(path);
}

const telling =
  /^(?:var\/lib\/dpkg\/(?:status|status\.d\/[^/]+|info\/[^/]+\.list)|(?:usr\/)?lib\/apk\/db\/installed|etc\/(?:passwd|group)|(?:usr\/)?lib(?:64)?\/(?:[^/]+\/)?libc\.so\.6|.*\/libc-[0-9.]+\.so)$/;

/** More of one file is not read for what it says. */
export const tellingLimit: number = 64 * 1024 * 1024; // bytes

/** A file that stays where it is as long as it is asked. */
export function storedContent(path: string, size: number): Content {
  let known: string | undefined;
  return {
    size,
    sha256: () => (known ??= hashOf(path)),
    bytes: () => (size > tellingLimit ? undefined : Buffer.concat([...piecesOf(path)].map((piece) => Buffer.from(piece)))),
  };
}

export function knownContent(size: number, sha256: string, kept?: Buffer): Content {
  return { size, sha256: () => sha256, bytes: () => kept };
}

/** Those that belong to a machine and not to a file are left out. Long values count by their hash. */
export function attributesText(attributes: Iterable<readonly [name: string, value: Buffer]>): string {
  return [...attributes]
    .filter(([name]) => !/^(?:(?:trusted|user)\.(?:overlay|fuseoverlayfs)\.|security\.selinux$)/.test(name))
    .map(([name, value]) => `${name}=${value.length > 64 ? createHash('sha256').update(value).digest('hex') : value.toString('hex')}`)
    .toSorted()
    .join(' ');
}

function hashOf(path: string): string {
  const hash = createHash('sha256');
  for (const piece of piecesOf(path)) hash.update(piece);
  return hash.digest('hex');
}

/** Each piece is valid until the next. */
function* piecesOf(path: string): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(1024 * 1024);
  const descriptor = openSync(pathOf(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let count = readSync(descriptor, buffer); count > 0; count = readSync(descriptor, buffer)) yield buffer.subarray(0, count);
  } finally {
    closeSync(descriptor);
  }
}
