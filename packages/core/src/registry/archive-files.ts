import { closeSync, openSync, readSync, rmSync, statfsSync, writeSync, mkdirSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { dirname, join, posix } from 'node:path';
import { UserError } from '../base/errors.ts';
import { badArchive } from '../oci/bad-archive.ts';
import { decompressed } from '../oci/layer-stream.ts';
import { TarReader } from '../oci/tar-reader.ts';
import type { TarEntry } from '../oci/tar-entry.ts';
import { openRegular, readRange, type LocalFiles } from './local-files.ts';

/** `docker save` writes some four members for each layer of an image, and an image has at most 127 layers. */
const memberLimit = 100_000;

/**
 * The files of a tar archive, read where they lie: only its headers are looked at. One that is compressed is turned into
 * a plain copy first, which has no name in `cache` and ends with this process. Nothing is unpacked, so no name leads anywhere.
 * @throws UserError BAD_ARCHIVE, DISK_FULL
 */
export async function archiveFiles(path: string, cache: string): Promise<LocalFiles> {
  const file = openRegular(path);
  if (!file) throw badArchive(`${path} is no regular file`);
  let { descriptor, size } = file;
  const magic = Buffer.alloc(6);
  readSync(descriptor, magic, 0, magic.length, 0);
  if (isCompressed(magic)) {
    const plain = await plainCopy(readRange(descriptor, { offset: 0, length: size }), cache).finally(() => closeSync(file.descriptor));
    ({ descriptor, size } = plain);
  }
  const members = indexOf(descriptor, size);
  const find = (name: string): Range | undefined => followLinks(members, name);
  return {
    size: (name) => find(name)?.length,
    read: (name, options) => readRange(descriptor, find(name) ?? { offset: 0, length: 0 }, options),
  };
}

interface Range {
  readonly offset: number;
  readonly length: number;
}

/** A file's place in the archive, or the name that a link means. */
type Member = Range | string;

function isCompressed(start: Buffer): boolean {
  const hex = start.toString('hex');
  if (/^(?:fd377a585a00|425a68)/.test(hex)) throw badArchive('it is compressed with xz or bzip2; gzip, zstd and plain tar can be read');
  return hex.startsWith('1f8b') || hex.startsWith('28b52ffd') || /^5.2a4d18/.test(hex);
}

/** Its name is gone before its first byte is written: no crash leaves it behind. */
async function plainCopy(source: AsyncGenerator<Buffer>, cache: string): Promise<{ descriptor: number; size: number }> {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const name = join(cache, `plain-${randomBytes(6).toString('hex')}.tar`);
  const descriptor = openSync(name, 'wx+', 0o600);
  rmSync(name);
  let size = 0;
  try {
    for await (const chunk of decompressed(source)) {
      for (let at = 0; at < chunk.length;) at += writeSync(descriptor, chunk, at, chunk.length - at, size + at);
      size += chunk.length;
    }
  } catch (error) {
    closeSync(descriptor);
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    const { bavail, bsize } = statfsSync(cache);
    throw new UserError('DISK_FULL', `There is no space left in ${cache} to decompress an image's archive.`, {
      hint: `After ${(size / 1e9).toFixed(1)} GB; ${((bavail * bsize) / 1e9).toFixed(1)} GB are free now. Decompress it elsewhere and name the plain tar.`,
      cause: error,
    });
  }
  return { descriptor, size };
}

/** Reads the headers and passes over the content: its length says where the next header is. */
function indexOf(descriptor: number, size: number): ReadonlyMap<string, Member> {
  const members = new Map<string, Member>();
  let begun: TarEntry | undefined;
  const reader = new TarReader({ entry: (entry) => (begun = entry), data: () => {}, end: () => {} });
  const window = Buffer.alloc(64 * 1024);
  const zeros = Buffer.alloc(1024 * 1024);
  let start = 0;
  let filled = 0;
  for (let at = 0; at < size;) {
    if (at < start || at + blockSize > start + filled) {
      start = at;
      filled = readSync(descriptor, window, 0, window.length, at);
      if (filled < blockSize) throw badArchive('it ends in the middle of a header');
    }
    begun = undefined;
    reader.write(window.subarray(at - start, at - start + blockSize));
    at += blockSize;
    const entry = begun as TarEntry | undefined;
    if (!entry) continue;
    if (entry.extents) throw badArchive('an image has no sparse files');
    if (at + entry.size > size) throw badArchive('it ends in the middle of a file');
    if (members.size >= memberLimit) throw badArchive(`it has more than ${memberLimit} members`);
    remember(members, entry, at);
    const padded = Math.ceil(entry.size / blockSize) * blockSize;
    // The reader hears zeros in place of the content, which nobody looks at.
    for (let left = padded; left > 0; left -= zeros.length) reader.write(zeros.subarray(0, Math.min(left, zeros.length)));
    at += padded;
  }
  reader.end();
  return members;
}

const blockSize = 512;

function remember(members: Map<string, Member>, entry: TarEntry, offset: number): void {
  const name = posix.normalize(entry.name).replace(/^\/+/, '');
  if (entry.type === 'file') members.set(name, { offset, length: entry.size });
  // `docker save` of before version 25 wrote a layer that two images share once, and links to it.
  else if (entry.type === 'symlink') members.set(name, posix.join(dirname(name), entry.target));
  else if (entry.type === 'hardlink') members.set(name, posix.normalize(entry.target));
}

function followLinks(members: ReadonlyMap<string, Member>, name: string): Range | undefined {
  let found = members.get(posix.normalize(name));
  for (let hops = 0; typeof found === 'string' && hops < 16; hops++) found = members.get(found);
  return typeof found === 'string' ? undefined : found;
}
