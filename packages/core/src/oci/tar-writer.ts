import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type BigIntStats } from 'node:fs';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import { getAttribute, listAttributes } from '../base/system-calls.ts';
import { sha256Digest, type Digest } from './digest.ts';
import { compareNames, decodeName, pathOf } from './file-name.ts';
import { encodeHeader, paddingOf, type HeaderFields } from './tar-encode.ts';
import { opaqueName, whiteoutPrefix } from './whiteout.ts';

/**
 * The one archive of a layer's directory (as overlayfs keeps it): the same tree gives the same bytes on every machine.
 * The top first, as `./`; a directory before what is in it; the names of one directory in byte order. Ids numeric, times in
 * whole seconds, ustar with pax where ustar cannot hold it. A 0:0 device becomes `.wh.NAME`, an opaque directory begins with
 * `.wh..wh..opq`; a file's further names are links to the first; holes are zeros; sockets are left out.
 */
export function canonicalTar(directory: string, options: TarOptions = {}): Readable {
  return Readable.from(chunksOf(directory, options));
}

export interface TarOptions {
  /** What the names begin with, ending in a slash; default nothing, and `./` for the top itself. */
  readonly prefix?: string;
  /** Directories and files, relative to the top, of which only the name is written: what is mounted there is not meant. */
  readonly hollow?: ReadonlySet<string>;
  /** Of the top, only what has this name, and not the top itself. */
  readonly only?: string;
}

/** sha256 of `canonicalTar`. Lets other work go on from time to time. */
export async function diffIdOf(directory: string): Promise<Digest> {
  const hash = createHash('sha256');
  let turns = 0;
  for (const chunk of chunksOf(directory, {})) {
    hash.update(chunk);
    if (++turns % 16 === 0) await nextTurn();
  }
  return sha256Digest(hash.digest('hex'));
}

const chunkSize = 1024 * 1024;

/** Synchronous file system calls only: they see the mount namespace of the main thread. */
function* chunksOf(directory: string, options: TarOptions): Generator<Buffer> {
  let chunk = Buffer.allocUnsafeSlow(chunkSize);
  let used = 0;
  for (const part of parts(directory, options)) {
    const { descriptor } = part;
    let remaining = part.bytes?.length ?? part.size!;
    for (let done = 0; remaining > 0;) {
      const count = Math.min(remaining, chunkSize - used);
      if (part.bytes) part.bytes.copy(chunk, used, done, done + count);
      else if (descriptor === undefined) chunk.fill(0, used, used + count);
      else fill(descriptor, chunk.subarray(used, used + count));
      used += count;
      done += count;
      remaining -= count;
      if (used === chunkSize) {
        yield chunk;
        chunk = Buffer.allocUnsafeSlow(chunkSize);
        used = 0;
      }
    }
  }
  if (used > 0) yield chunk.subarray(0, used);
}

/** Bytes, or as many bytes of an open file, or as many zeros. */
interface Part {
  readonly bytes?: Buffer;
  readonly descriptor?: number;
  readonly size?: number;
}

function* parts(directory: string, { prefix = '', hollow = new Set(), only }: TarOptions): Generator<Part> {
  const itself = `${directory}/.`; // it may be named by a link of /proc
  const top = lstatSync(itself, { bigint: true });
  if (only === undefined)
    yield { bytes: encodeHeader({ ...commonFields(top), flag: '5', name: prefix || './', size: 0, ...attributesOf(itself) }) };
  yield* directoryParts(directory, '', { prefix, hollow, only, firstNames: new Map() });
  yield { size: 1024 }; // two blocks of zeros end an archive
}

interface Walk {
  readonly prefix: string;
  readonly hollow: ReadonlySet<string>;
  readonly only: string | undefined;
  /** The first name of files with several, by inode. */
  readonly firstNames: Map<string, string>;
}

/**
 * `inside` is the directory relative to the top, ending in a slash or empty. Each directory is opened from the one that holds it:
 * where a container changes the tree meanwhile, no link that it puts there is followed.
 */
function* directoryParts(path: string, inside: string, walk: Walk): Generator<Part> {
  const { prefix, hollow, firstNames } = walk;
  const descriptor = openSync(
    pathOf(inside === '' ? `${path}/.` : path),
    constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW,
  );
  const directory = `/proc/self/fd/${descriptor}`;
  try {
    if (isOpaque(`${directory}/.`)) yield { bytes: encodeHeader({ ...whiteout, name: prefix + inside + opaqueName }) };
    for (const { name, path: entry, stats } of entriesOf(directory)) {
      if (inside === '' && walk.only !== undefined && name !== walk.only) continue;
      const relative = inside + name;
      if (name.startsWith(whiteoutPrefix) && !isWhiteout(stats)) throw notSupported(prefix + relative);
      const common = { ...commonFields(stats), name: prefix + relative, size: 0 };
      if (isWhiteout(stats)) {
        yield { bytes: encodeHeader({ ...whiteout, name: prefix + relative }) };
      } else if (stats.isDirectory()) {
        yield { bytes: encodeHeader({ ...common, flag: '5', name: `${common.name}/`, ...attributesOf(entry) }) };
        if (!hollow.has(relative)) yield* directoryParts(entry, `${relative}/`, walk);
      } else if (!stats.isSocket()) {
        const inode = `${stats.dev}:${stats.ino}`;
        const first = stats.nlink > 1n ? firstNames.get(inode) : undefined;
        if (first !== undefined) {
          yield { bytes: encodeHeader({ ...common, flag: '1', target: first }) };
          continue;
        }
        if (stats.nlink > 1n) firstNames.set(inode, common.name);
        if (stats.isFile()) yield* fileParts(entry, fileFields(entry, stats, common, hollow.has(relative)));
        else yield { bytes: encodeHeader({ ...common, ...specialFields(entry, stats), ...attributesOf(entry) }) };
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

function fileFields(path: string, stats: BigIntStats, common: Omit<HeaderFields, 'flag'>, isHollow: boolean): HeaderFields {
  return isHollow ? { ...common, flag: '0' } : { ...common, flag: '0', size: Number(stats.size), ...attributesOf(path) };
}

function* fileParts(path: string, fields: HeaderFields): Generator<Part> {
  yield { bytes: encodeHeader(fields) };
  if (fields.size === 0) return;
  // Without waiting: a pipe may have come in its place.
  const descriptor = openSync(pathOf(path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    yield { descriptor, size: fields.size };
  } finally {
    closeSync(descriptor);
  }
  yield { size: paddingOf(fields.size) };
}

interface Entry {
  /** As the archive has it: a whiteout begins with `.wh.`. */
  readonly name: string;
  readonly path: string;
  readonly stats: BigIntStats;
}

function entriesOf(directory: string): readonly Entry[] {
  return readdirSync(pathOf(directory), { encoding: 'buffer' })
    .map((bytes): Entry => {
      const name = decodeName(bytes);
      const path = `${directory}/${name}`;
      const stats = lstatSync(pathOf(path), { bigint: true }); // a double cannot hold nanoseconds
      return { name: isWhiteout(stats) ? whiteoutPrefix + name : name, path, stats };
    })
    .toSorted((a, b) => compareNames(a.name, b.name));
}

function notSupported(name: string): UserError {
  return new UserError(
    'NOT_SUPPORTED',
    `A layer cannot hold ${JSON.stringify(name)}: names that begin with ${whiteoutPrefix} mean deleted files.`,
    {
      hint: 'Give the file another name, or remove it in the same step.',
    },
  );
}

const whiteout = { flag: '0', mode: 0, uid: 0, gid: 0, seconds: 0, size: 0 } as const;

function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

function commonFields(stats: BigIntStats): Pick<HeaderFields, 'mode' | 'uid' | 'gid' | 'seconds'> {
  const seconds = Number(stats.mtimeNs / 1_000_000_000n) - (stats.mtimeNs < 0n && stats.mtimeNs % 1_000_000_000n !== 0n ? 1 : 0);
  return { mode: stats.isSymbolicLink() ? 0o777 : Number(stats.mode & 0o7777n), uid: Number(stats.uid), gid: Number(stats.gid), seconds };
}

function specialFields(path: string, stats: BigIntStats): Pick<HeaderFields, 'flag' | 'target' | 'major' | 'minor'> {
  if (stats.isSymbolicLink()) return { flag: '2', target: decodeName(readlinkSync(pathOf(path), { encoding: 'buffer' })) };
  if (stats.isFIFO()) return { flag: '6' };
  const { rdev } = stats;
  // gnu_dev_major(3), gnu_dev_minor(3)
  const major = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n));
  const minor = Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n));
  return { flag: stats.isCharacterDevice() ? '3' : '4', major, minor };
}

/** Attributes that belong to the file, not to this machine; overlayfs' own are told by whiteouts. */
function attributesOf(path: string): { attributes?: ReadonlyMap<string, Buffer> } {
  const names = listAttributes(pathOf(path));
  if (names.length === 0) return {};
  const attributes = new Map<string, Buffer>();
  for (const name of names) {
    if (/^(?:trusted|user)\.overlay\.(?:redirect|metacopy)$/.test(name))
      throw new Error(`${path} is kept by overlayfs in a form that is no layer (${name})`);
    if (/^(?:trusted|user)\.overlay\.|^security\.(?:selinux|ima|evm)$/.test(name)) continue;
    const value = getAttribute(pathOf(path), name);
    if (value) attributes.set(name, name === 'security.capability' ? withoutNamespace(value) : value);
  }
  return { attributes };
}

/**
 * File capabilities without the id of the user namespace that wrote them: version 3 becomes version 2
 * (linux/capability.h, vfs_ns_cap_data).
 */
function withoutNamespace(value: Buffer): Buffer {
  const version = value.length === 24 ? value.readUInt32LE(0) : 0;
  if (version >>> 24 !== 3) return value;
  const plain = Buffer.from(value.subarray(0, 20));
  plain.writeUInt32LE(((version & 0x00ffffff) | 0x02000000) >>> 0, 0);
  return plain;
}

function isOpaque(directory: string): boolean {
  // Asked by name only when it is there: a missing attribute costs an exception.
  const name = listAttributes(pathOf(directory)).find((attribute) => /^(?:trusted|user)\.overlay\.opaque$/.test(attribute));
  return name !== undefined && getAttribute(pathOf(directory), name)?.toString() === 'y';
}

function fill(descriptor: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) {
    const count = readSync(descriptor, bytes, done, bytes.length - done, null);
    if (count === 0) throw new Error('a file of a layer became shorter while it was read');
    done += count;
  }
}
