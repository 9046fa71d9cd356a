import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { UserError } from '../base/errors.ts';
import { badArchive } from './bad-archive.ts';
import { decodedAside } from './decode-aside.ts';
import type { Digest } from './digest.ts';
import type { Descriptor } from './document.ts';
import { verified } from './verify.ts';
import { zstdFrames } from './zstd-frames.ts';

/** Large pieces: each costs the unpacker one turn of the event loop. */
const chunkSize = 1024 * 1024;

/** Compressed bytes from which on a thread of its own pays for its start. */
const worthAThread = 4 * 1024 * 1024;

/**
 * The uncompressed tar of a layer's blob: gzip, zstd or plain, as its first bytes say. The blob is checked against its
 * descriptor and the tar against its diffId; a difference errors the stream, which therefore never just ends. A big one is
 * checked and decompressed by another thread, so that the consumer's has its time for files.
 */
export function layerStream(blob: AsyncIterable<Buffer>, descriptor: Descriptor, diffId: Digest): Readable {
  return Readable.from((descriptor.size >= worthAThread ? decodedAside : decodedHere)(blob, descriptor, diffId));
}

/** Of `layerStream`, on this thread. */
export function decodedHere(blob: AsyncIterable<Buffer>, descriptor: Descriptor, diffId: Digest): AsyncGenerator<Buffer> {
  const checked = verified(blob, { digest: descriptor.digest, size: descriptor.size, what: `layer ${descriptor.digest}` });
  return verified(decompressed(checked), { digest: diffId, what: `content of layer ${descriptor.digest}` });
}

/** Gzip, zstd or plain, as the first bytes say. @throws UserError BAD_ARCHIVE */
export async function* decompressed(blob: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  try {
    const { start, rest } = await peek(blob, 4);
    const found = decoderOf(start);
    if (found) yield* decoded(rest, found);
    else yield* rest;
  } catch (error) {
    // Bytes that are not those that were named explain why they cannot be read: let the check come to its end.
    if (error instanceof UserError && error.code === 'BAD_ARCHIVE') for await (const _ of blob);
    throw error;
  } finally {
    await blob.return(undefined);
  }
}

async function* decoded(source: AsyncGenerator<Buffer>, { decoder, cut }: Decoder): AsyncGenerator<Buffer> {
  const fed = pipeline(cut ? cut(source) : source, decoder);
  fed.catch(() => {}); // awaited below; when the consumer stops early nobody asks
  try {
    for await (const chunk of decoder) yield chunk as Buffer;
    await fed;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (typeof code === 'string' && /^(?:Z_|ZSTD_|ERR_.*ZSTD|ERR_ZLIB)/.test(code))
      throw badArchive(`a layer cannot be decompressed (${code})`, error);
    throw error;
  } finally {
    decoder.destroy();
  }
}

interface Decoder {
  readonly decoder: Transform;
  readonly cut?: typeof zstdFrames;
}

function decoderOf(start: Buffer): Decoder | undefined {
  // Several chunks ahead, so that the thread that inflates works while this one writes files.
  const options = { chunkSize, readableHighWaterMark: 4 * chunkSize };
  if (start[0] === 0x1f && start[1] === 0x8b) return { decoder: createGunzip(options) };
  const magic = start.length < 4 ? 0 : start.readUInt32LE(0);
  if (magic === 0xfd2fb528 || magic >>> 4 === 0x184d2a5) return { decoder: createZstdDecompress(options), cut: zstdFrames };
  return undefined;
}

/** The first bytes, at least `count` when there are as many, and all of the source again. Ending `rest` early does not end the source. */
async function peek(source: AsyncGenerator<Buffer>, count: number): Promise<{ start: Buffer; rest: AsyncGenerator<Buffer> }> {
  let start: Buffer = Buffer.alloc(0);
  while (start.length < count) {
    const next = await source.next();
    if (next.done) break;
    start = start.length === 0 ? next.value : Buffer.concat([start, next.value]);
  }
  async function* rest(): AsyncGenerator<Buffer> {
    if (start.length > 0) yield start;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  }
  return { start, rest: rest() };
}
