import { badArchive } from './bad-archive.ts';

/**
 * The same bytes in pieces that never reach over the end of a zstd frame, without the frames to skip: Node's decoder drops what
 * follows a frame in one write (nodejs/node#64741), and pzstd and zstd:chunked write many frames. RFC 8878, section 3.1.
 * @throws UserError BAD_ARCHIVE
 */
export async function* zstdFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const cutter = new FrameCutter();
  for await (const chunk of source) {
    for (let at = 0; at < chunk.length;) {
      const { length, keep } = cutter.next(chunk, at);
      if (keep) yield chunk.subarray(at, at + length);
      at += length;
    }
  }
  if (!cutter.atEnd) throw badArchive('a layer cannot be decompressed (it ends in the middle of a zstd frame)');
}

type Part = 'magic' | 'skip size' | 'skip' | 'descriptor' | 'block header' | 'block' | 'checksum';

/** Follows the structure of frames over pieces that may be cut anywhere. */
class FrameCutter {
  #part: Part = 'magic';
  /** Bytes still to come of the part, and the number its bytes form so far (little endian). */
  #left = 4;
  #value = 0;
  #taken = 0;
  #skipping = false;
  #hasChecksum = false;
  #last = false;

  /** Whether a frame could begin here. */
  get atEnd(): boolean {
    return this.#part === 'magic' && this.#taken === 0;
  }

  /** How many bytes belong together from a place on, at most to a frame's end, and whether the decoder needs them. */
  next(chunk: Buffer, start: number): { length: number; keep: boolean } {
    let at = start;
    while (at < chunk.length) {
      const count = Math.min(this.#left, chunk.length - at);
      if (this.#part !== 'block' && this.#part !== 'skip') {
        for (let index = 0; index < count; index++) this.#value += chunk[at + index]! * 2 ** (8 * this.#taken++);
      }
      this.#left -= count;
      at += count;
      if (this.#left > 0) break;
      const ended = this.#advance();
      if (ended) return { length: at - start, keep: !ended.skipped };
    }
    return { length: at - start, keep: !this.#skipping };
  }

  /** The part is complete. What ended with it, if a frame did. */
  #advance(): { skipped: boolean } | undefined {
    const value = this.#value;
    switch (this.#part) {
      case 'magic':
        this.#skipping = value >>> 4 === 0x184d2a5;
        if (!this.#skipping && value !== 0xfd2fb528)
          throw badArchive('a layer cannot be decompressed (something else follows a zstd frame)');
        return this.#expect(this.#skipping ? 'skip size' : 'descriptor', this.#skipping ? 4 : 1);
      case 'skip size':
        return value === 0 ? this.#end() : this.#expect('skip', value);
      case 'descriptor':
        this.#hasChecksum = (value & 4) !== 0;
        // The rest of the header is passed as a part of the first block's header would be: only its length matters.
        return this.#expect('block', headerRest(value));
      case 'block header': {
        this.#last = (value & 1) !== 0;
        const size = ((value >> 1) & 3) === 1 ? 1 : value >>> 3; // a run of one byte stores it once
        return size === 0 ? this.#afterBlock() : this.#expect('block', size);
      }
      case 'block':
        return this.#afterBlock();
      default:
        return this.#end();
    }
  }

  #afterBlock(): { skipped: boolean } | undefined {
    if (!this.#last) return this.#expect('block header', 3);
    return this.#hasChecksum ? this.#expect('checksum', 4) : this.#end();
  }

  #expect(part: Part, length: number): undefined {
    this.#part = part;
    this.#left = length;
    this.#value = this.#taken = 0;
  }

  #end(): { skipped: boolean } {
    const skipped = this.#skipping;
    this.#skipping = this.#last = false;
    this.#expect('magic', 4);
    return { skipped };
  }
}

/** Bytes of a frame's header after its descriptor: window, dictionary id, content size. Never 0. */
function headerRest(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  return (singleSegment ? 0 : 1) + dictionary + contentSize;
}
