import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, renameSync, writeSync } from 'node:fs';
import { constants as zlibConstants, zstdCompressSync } from 'node:zlib';
import { UserError } from '../base/errors.ts';
import { decodeName, encodeName, pathOf } from '../oci/file-name.ts';
import { decompressed } from '../oci/layer-stream.ts';

/*
 * A layer that was pulled has to become the very archive again that it came as, while its directory alone says nothing of
 * the dialect, order and padding of that. So what is no file's content is kept, verbatim, and of a file where its content lies
 * (what Docker calls tar-split). The record is a row of these, compressed with zstd:
 *   0, length (u32), bytes                                     as they are
 *   1, number (u32), name length (u16), name, offset (u64), length (u64)     a part of a file of the layer
 * A file that a later member replaced is kept apart, by its number.
 */
const verbatim = 0;
const content = 1;
const frameSize = 1024 * 1024;

/** Where a layer's record and its replaced files are. */
export interface RecordPlace {
  readonly record: string;
  readonly replaced: string;
}

/** Hears an archive piece by piece while it is unpacked. Disposed: closed, whatever it holds. */
export class TarRecorder implements Disposable {
  readonly #place: RecordPlace;
  readonly #descriptor: number;
  readonly #numbers = new Map<string, number>();
  readonly #frame: Buffer = Buffer.allocUnsafeSlow(frameSize);
  #used = 0;
  #numbersGiven = 0;
  #piece: Buffer = Buffer.alloc(0);
  #at = 0;
  #file = { number: 0, name: '' };
  /** The part of the file that is being told, which may go on in the next piece. */
  #part: { readonly offset: number; length: number } | undefined;
  #open = true;

  constructor(place: RecordPlace) {
    this.#place = place;
    this.#descriptor = openSync(place.record, 'wx', 0o600);
  }

  /** The next piece of the archive, of which some will be `taken`. */
  piece(bytes: Buffer): void {
    this.#piece = bytes;
    this.#at = 0;
  }

  /** What was not taken of the piece is kept as it is. */
  pieceEnd(): void {
    this.#keepTo(this.#piece.length);
  }

  /** A file begins, whose content is `taken`. `name` is its real one, below the layer's directory. */
  file(name: string): void {
    this.#flushPart();
    this.#file = { number: this.#numbersGiven++, name };
    this.#numbers.set(name, this.#file.number);
  }

  /** These bytes of the piece were written to the file, from `offset` on. */
  taken(bytes: Buffer, offset: number): void {
    const start = bytes.byteOffset - this.#piece.byteOffset;
    this.#keepTo(start);
    if (this.#part && this.#part.offset + this.#part.length !== offset) this.#flushPart();
    this.#part ??= { offset, length: 0 };
    this.#part.length += bytes.length;
    this.#at = start + bytes.length;
  }

  /** A later member takes the place of what is at a name: the content of files there is kept apart. `root` is the layer's directory. */
  replace(root: string, name: string): void {
    this.#flushPart();
    const path = pathOf(`${root}/${name}`);
    if (lstatSync(path).isDirectory()) {
      for (const inside of readdirSync(path, { encoding: 'buffer' })) this.replace(root, `${name}/${decodeName(inside)}`);
      return;
    }
    const number = this.#numbers.get(name);
    if (number === undefined) return;
    mkdirSync(this.#place.replaced, { recursive: true, mode: 0o700 });
    renameSync(path, `${this.#place.replaced}/${number}`);
    this.#numbers.delete(name);
  }

  /** The archive is over. */
  end(): void {
    this.#flushPart();
    this.#writeFrame();
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }

  #keepTo(end: number): void {
    if (end <= this.#at) return;
    this.#flushPart();
    while (this.#at < end) {
      if (frameSize - this.#used < 512) this.#writeFrame();
      const length = Math.min(end - this.#at, frameSize - this.#used - 5);
      this.#frame[this.#used] = verbatim;
      this.#frame.writeUInt32LE(length, this.#used + 1);
      this.#piece.copy(this.#frame, this.#used + 5, this.#at, this.#at + length);
      this.#used += 5 + length;
      this.#at += length;
    }
  }

  #flushPart(): void {
    const part = this.#part;
    this.#part = undefined;
    if (!part || part.length === 0) return;
    const name = encodeName(this.#file.name);
    if (frameSize - this.#used < 23 + name.length) this.#writeFrame();
    const start = this.#used;
    this.#frame[start] = content;
    this.#frame.writeUInt32LE(this.#file.number, start + 1);
    this.#frame.writeUInt16LE(name.length, start + 5);
    name.copy(this.#frame, start + 7);
    this.#frame.writeBigUInt64LE(BigInt(part.offset), start + 7 + name.length);
    this.#frame.writeBigUInt64LE(BigInt(part.length), start + 15 + name.length);
    this.#used += 23 + name.length;
  }

  #writeFrame(): void {
    if (this.#used === 0) return;
    const frame = zstdCompressSync(this.#frame.subarray(0, this.#used), fast);
    this.#used = 0;
    for (let done = 0; done < frame.length;) done += writeSync(this.#descriptor, frame, done);
  }
}

/** Headers and zeros: more effort gains next to nothing. */
const fast = { params: { [zlibConstants.ZSTD_c_compressionLevel]: 1 } };

/** Whether the archive of a layer was recorded. */
export function hasRecord(place: RecordPlace): boolean {
  return existsSync(place.record);
}

/** The archive that a layer came as. Its digest is for the caller to check: what is on disk may have been changed. */
export async function* recordedTar(place: RecordPlace, directory: string): AsyncGenerator<Buffer> {
  const source = new ByteSource(decompressed(piecesOf(place.record)));
  for (let kind = await source.byte(); kind !== undefined; kind = await source.byte()) {
    if (kind === verbatim) {
      yield await source.take((await source.take(4)).readUInt32LE());
      continue;
    }
    const head = await source.take(6);
    const name = decodeName(await source.take(head.readUInt16LE(4)));
    const range = await source.take(16);
    const replaced = `${place.replaced}/${head.readUInt32LE()}`;
    yield* partOf(existsSync(replaced) ? replaced : `${directory}/${name}`, {
      offset: Number(range.readBigUInt64LE()),
      length: Number(range.readBigUInt64LE(8)),
    });
  }
}

/** Synchronous file system calls only: they see the mount namespace of the main thread. */
async function* piecesOf(path: string): AsyncGenerator<Buffer> {
  const descriptor = openSync(path, 'r');
  try {
    for (;;) {
      const buffer = Buffer.allocUnsafe(256 * 1024);
      const count = readSync(descriptor, buffer, 0, buffer.length, null);
      if (count === 0) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    closeSync(descriptor);
  }
}

function* partOf(path: string, { offset, length }: { readonly offset: number; readonly length: number }): Generator<Buffer> {
  const descriptor = openSync(pathOf(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let at = 0; at < length;) {
      const buffer = Buffer.allocUnsafe(Math.min(1024 * 1024, length - at));
      const count = readSync(descriptor, buffer, 0, buffer.length, offset + at);
      if (count === 0) throw damaged(path);
      yield buffer.subarray(0, count);
      at += count;
    }
  } finally {
    closeSync(descriptor);
  }
}

function damaged(path: string): UserError {
  return new UserError('BAD_ARCHIVE', `The store's copy of a layer is damaged: ${path} is shorter than it was.`, {
    hint: 'Remove the image and pull it again.',
  });
}

/** Takes as many bytes as are asked for from pieces that are cut anywhere. */
class ByteSource {
  readonly #pieces: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Undefined at the end. */
  async byte(): Promise<number | undefined> {
    if (this.#held.length === 0 && !(await this.#more())) return undefined;
    const [byte] = this.#held;
    this.#held = this.#held.subarray(1);
    return byte;
  }

  async take(count: number): Promise<Buffer> {
    while (this.#held.length < count) if (!(await this.#more())) throw damaged('its record');
    const taken = this.#held.subarray(0, count);
    this.#held = this.#held.subarray(count);
    return taken;
  }

  async #more(): Promise<boolean> {
    const next = await this.#pieces.next();
    if (next.done) return false;
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value]);
    return true;
  }
}
