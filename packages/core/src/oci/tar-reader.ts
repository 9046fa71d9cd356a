import { badArchive } from './bad-archive.ts';
import { decodeName } from './file-name.ts';
import { applyPax, parsePax, type PaxRecords } from './pax.ts';
import type { Extent, TarEntry } from './tar-entry.ts';
import { blockSize, parseHeader, type TarHeader } from './tar-header.ts';
import { applySparse, OldSparseMapReader, SparseMapReader } from './tar-sparse.ts';

/** Hears the members of an archive in order: `entry`, for a file its `data` in order, then `end`. */
export interface TarVisitor {
  entry(entry: TarEntry): void;
  /** `offset` is the place in the file; what no call covers is a hole. The bytes are valid during the call only. */
  data(bytes: Buffer, offset: number): void;
  end(): void;
}

/** No extended header or long name may be longer: bounded memory whatever the archive says (as Go's archive/tar). */
const extendedLimit = 1024 * 1024;
const nameLimit = 4096; // PATH_MAX

/** Records that make sense for one member only; GNU tar and bsdtar do not take them from a global header either. */
const perMember = /^(?:path|linkpath|size|GNU\.sparse\..*)$/;

/**
 * A streaming tar parser: v7, ustar, star, GNU (long names, base-256 numbers, sparse files) and pax. Synchronous: `write`
 * has told the visitor all that its bytes say when it returns. Every method throws UserError BAD_ARCHIVE.
 */
export class TarReader {
  readonly #visitor: TarVisitor;
  #state: 'header' | 'extended' | 'sparse map' | 'old sparse map' | 'data' | 'padding' | 'over' = 'header';
  /** A block or extended header whose first bytes came with an earlier chunk. */
  #held: Buffer = Buffer.alloc(blockSize);
  #heldLength = 0;
  /** Bytes that remain of the state's body. */
  #remaining = 0;
  #padding = 0;
  #header: TarHeader | undefined;
  #global: Map<string, Buffer> = new Map();
  #records: PaxRecords | undefined;
  #longName: string | undefined;
  #longTarget: string | undefined;
  #offset = 0;
  #extents: readonly Extent[] | undefined;
  #extent = 0;
  #sparseMap: SparseMapReader | undefined;
  #oldSparseMap: OldSparseMapReader | undefined;

  constructor(visitor: TarVisitor) {
    this.#visitor = visitor;
  }

  write(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#state === 'data') at = this.#passData(chunk, at);
      else if (this.#state === 'padding') at = this.#skipPadding(chunk, at);
      else if (this.#state === 'extended') at = this.#holdExtended(chunk, at);
      else if (this.#state === 'over')
        return; // what follows the end is padding of the record
      else at = this.#takeBlock(chunk, at);
    }
  }

  /** The bytes are over. */
  end(): void {
    const whole =
      this.#state === 'over' || (this.#state === 'header' && this.#heldLength === 0 && !this.#records && this.#longName === undefined);
    // The last file's padding may be missing: some writers leave it out.
    if (!whole && this.#state !== 'padding') throw badArchive('it ends in the middle of a file');
  }

  #takeBlock(chunk: Buffer, at: number): number {
    if (this.#heldLength === 0 && chunk.length - at >= blockSize) {
      this.#block(chunk.subarray(at, at + blockSize));
      return at + blockSize;
    }
    const count = Math.min(blockSize - this.#heldLength, chunk.length - at);
    chunk.copy(this.#held, this.#heldLength, at, at + count);
    this.#heldLength += count;
    if (this.#heldLength === blockSize) {
      this.#heldLength = 0;
      this.#block(this.#held);
    }
    return at + count;
  }

  #block(block: Buffer): void {
    if (this.#state === 'sparse map') {
      const extents = this.#sparseMap!.add(block, this.#header!);
      if (extents) this.#begin(extents);
    } else if (this.#state === 'old sparse map') {
      if (!this.#oldSparseMap!.addExtension(block)) this.#begin(this.#oldSparseMap!.extents(this.#header!));
    } else {
      this.#headerBlock(block);
    }
  }

  #headerBlock(block: Buffer): void {
    const header = parseHeader(block);
    if (!header) {
      this.#state = 'over'; // one block of zeros is enough, as for GNU tar
      return;
    }
    this.#header = header;
    switch (header.flag) {
      case 'x':
      case 'X':
      case 'g':
      case 'L':
      case 'K':
        return this.#expectExtended(header);
      case 'V':
        return this.#skip(header); // a label of the whole archive
      case '0':
      case '1':
      case '2':
      case '3':
      case '4':
      case '5':
      case '6':
      case '7':
      case 'S':
        return this.#member(header, block);
      default:
        throw badArchive(`members of type ${JSON.stringify(header.flag)} are not known`);
    }
  }

  #expectExtended(header: TarHeader): void {
    const limit = header.flag === 'L' || header.flag === 'K' ? nameLimit + 1 : extendedLimit;
    if (header.stored > limit) throw badArchive('an extended header is too long');
    this.#remaining = header.stored;
    this.#padding = padding(header.stored);
    this.#held = header.stored > blockSize ? Buffer.alloc(header.stored) : this.#held;
    this.#heldLength = 0;
    this.#state = 'extended';
    if (header.stored === 0) this.#extended();
  }

  #holdExtended(chunk: Buffer, at: number): number {
    const count = Math.min(this.#remaining, chunk.length - at);
    chunk.copy(this.#held, this.#heldLength, at, at + count);
    this.#heldLength += count;
    this.#remaining -= count;
    if (this.#remaining === 0) this.#extended();
    return at + count;
  }

  #extended(): void {
    const bytes = this.#held.subarray(0, this.#heldLength);
    this.#heldLength = 0;
    switch (this.#header!.flag) {
      case 'g':
        for (const [keyword, value] of parsePax(bytes)) if (!perMember.test(keyword)) this.#global.set(keyword, value);
        if (this.#global.size > 1000) throw badArchive('it has too many global records');
        break;
      case 'L':
        this.#longName = nameOf(bytes);
        break;
      case 'K':
        this.#longTarget = nameOf(bytes);
        break;
      default:
        this.#records = parsePax(bytes);
    }
    this.#held = this.#held.length > blockSize ? Buffer.alloc(blockSize) : this.#held;
    this.#state = this.#padding > 0 ? 'padding' : 'header';
  }

  #member(header: TarHeader, block: Buffer): void {
    let form: ReturnType<typeof applySparse> = header.flag === 'S' ? 'old map' : 'none';
    if (this.#records || this.#global.size > 0) {
      const records = this.#global.size > 0 ? new Map([...this.#global, ...(this.#records ?? [])]) : this.#records!;
      applyPax(header, records);
      form = applySparse(header, records);
      this.#records = undefined;
    }
    if (this.#longName !== undefined) header.name = this.#longName;
    if (this.#longTarget !== undefined) header.target = this.#longTarget;
    this.#longName = this.#longTarget = undefined;
    this.#checkNames(header);
    // Only files have bytes. What links and directories say of a size is no body (as Go's archive/tar).
    // As old tar writes a directory. Only the whole name tells: the 100th byte of a long one may be a slash too.
    if (header.flag === '0' && header.name.endsWith('/')) header.type = 'directory';
    if (header.type !== 'file') header.size = header.stored = 0;
    if (form === 'map before data') {
      this.#sparseMap = new SparseMapReader();
      this.#state = 'sparse map';
    } else if (form === 'old map') {
      this.#oldSparseMap = new OldSparseMapReader();
      const more = this.#oldSparseMap.addHeader(block, header);
      if (more) this.#state = 'old sparse map';
      else this.#begin(this.#oldSparseMap.extents(header));
    } else {
      this.#begin(header.extents);
    }
  }

  #checkNames(header: TarHeader): void {
    if (header.name === '') throw badArchive('a member has no name');
    if (header.name.length > nameLimit || header.target.length > nameLimit) throw badArchive('a name is too long');
    if (header.uid > idLimit || header.gid > idLimit) throw badArchive(`${header.name} has an owner out of range`);
  }

  #begin(extents: readonly Extent[] | undefined): void {
    const header = this.#header!;
    header.extents = this.#extents = extents;
    this.#extent = 0;
    this.#offset = extents?.[0]?.offset ?? 0;
    this.#remaining = header.stored;
    this.#padding = padding(header.stored);
    this.#visitor.entry(header);
    this.#state = 'data';
    if (this.#remaining === 0) this.#finish();
  }

  #passData(chunk: Buffer, at: number): number {
    const extent = this.#extents?.[this.#extent];
    const run = extent ? extent.offset + extent.length - this.#offset : this.#remaining;
    const count = Math.min(run, this.#remaining, chunk.length - at);
    this.#visitor.data(at === 0 && count === chunk.length ? chunk : chunk.subarray(at, at + count), this.#offset);
    this.#offset += count;
    this.#remaining -= count;
    if (extent && count === run) this.#offset = this.#extents![++this.#extent]?.offset ?? 0;
    if (this.#remaining === 0) this.#finish();
    return at + count;
  }

  #finish(): void {
    this.#visitor.end();
    this.#state = this.#padding > 0 ? 'padding' : 'header';
  }

  #skip(header: TarHeader): void {
    this.#padding = header.stored + padding(header.stored);
    this.#state = this.#padding > 0 ? 'padding' : 'header';
  }

  #skipPadding(chunk: Buffer, at: number): number {
    const count = Math.min(this.#padding, chunk.length - at);
    this.#padding -= count;
    if (this.#padding === 0) this.#state = 'header';
    return at + count;
  }
}

const idLimit = 0xfffffffe; // (uid_t)-1 means "leave as it is" to chown(2)

function padding(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

function nameOf(bytes: Buffer): string {
  const zero = bytes.indexOf(0);
  return decodeName(zero < 0 ? bytes : bytes.subarray(0, zero));
}
