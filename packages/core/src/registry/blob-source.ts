import { createHash, type Hash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/document.ts';
import type { Layer } from '../oci/image.ts';
import { verified } from '../oci/verify.ts';

/** Bytes that can be read from their beginning more than once, and are the same each time. */
export interface BlobSource {
  readonly mediaType: string;
  /** When they are known before they are read. */
  readonly known?: Pick<Descriptor, 'digest' | 'size'>;
  open(signal: AbortSignal | undefined): AsyncIterable<Buffer>;
}

export function bytesSource(bytes: Buffer, descriptor: Descriptor): BlobSource {
  return {
    mediaType: descriptor.mediaType,
    known: descriptor,
    async *open() {
      yield bytes;
    },
  };
}

/** A blob as it came, checked once more on its way. */
export function copiedSource(descriptor: Descriptor, open: (signal: AbortSignal | undefined) => AsyncIterable<Buffer>): BlobSource {
  return {
    mediaType: descriptor.mediaType,
    known: descriptor,
    open: (signal) => verified(open(signal), { ...descriptor, what: `layer ${descriptor.digest}` }),
  };
}

/** A layer's archive, compressed here. One program makes the same bytes of it each time. */
export function compressedSource(layer: Layer, compression: 'gzip' | 'zstd'): BlobSource {
  return {
    mediaType: `application/vnd.oci.image.layer.v1.tar+${compression}`,
    async *open(signal) {
      const chunkSize = 256 * 1024;
      const compressor =
        compression === 'gzip'
          ? createGzip({ chunkSize })
          : createZstdCompress({ chunkSize, params: { [constants.ZSTD_c_compressionLevel]: 3 } });
      const tar = await layer.open(signal ? { signal } : {});
      const fed = pipeline(tar, compressor, signal ? { signal } : {});
      fed.catch(() => {}); // awaited below; when the reader stops early nobody asks
      try {
        for await (const chunk of compressor) yield chunk as Buffer;
        await fed;
      } finally {
        compressor.destroy();
      }
    },
  };
}

/** Reads a source piece by piece and knows the digest of all that was read. */
export class BlobReader {
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #hash: Hash = createHash('sha256');
  #rest: Buffer = Buffer.alloc(0);
  #isAtEnd = false;
  position = 0;

  constructor(source: BlobSource, signal: AbortSignal | undefined) {
    this.#pieces = source.open(signal)[Symbol.asyncIterator]();
  }

  /** Reads on to a place without giving the bytes. */
  async skipTo(position: number): Promise<void> {
    while (this.position < position && (await this.take(position - this.position)));
  }

  /** At most `most` bytes; undefined at the end. */
  async take(most: number): Promise<Buffer | undefined> {
    while (this.#rest.length === 0 && !this.#isAtEnd) {
      const next = await this.#pieces.next();
      this.#isAtEnd = next.done === true;
      if (!next.done) this.#rest = next.value;
    }
    if (this.#rest.length === 0) return undefined;
    const bytes = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(bytes.length);
    this.#hash.update(bytes);
    this.position += bytes.length;
    return bytes;
  }

  async *all(): AsyncGenerator<Buffer> {
    for (let bytes = await this.take(Infinity); bytes; bytes = await this.take(Infinity)) yield bytes;
  }

  /** Of everything, once all was read. */
  digest(): Digest {
    return sha256Digest(this.#hash.copy().digest('hex'));
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }
}
