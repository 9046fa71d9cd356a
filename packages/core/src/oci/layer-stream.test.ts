import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { sha256 } from '../base/canonical-json.ts';
import { sha256Digest } from './digest.ts';
import { decodedAside } from './decode-aside.ts';
import { decodedHere, layerStream } from './layer-stream.ts';

const tar = Buffer.concat([Buffer.alloc(3_000_000), randomBytes(2_000_000)]);

describe.each([
  ['on this thread', decodedHere],
  ['on another thread', decodedAside],
])('%s', (_where, decode) => {
  /** What comes out of a blob that travels in pieces. */
  async function content(blob: Buffer, named: { blob?: Buffer; tar?: Buffer } = {}, pieceSize = 65_536): Promise<Buffer> {
    async function* pieces(): AsyncGenerator<Buffer> {
      for (let at = 0; at < blob.length; at += pieceSize) yield blob.subarray(at, at + pieceSize);
    }
    const digest = sha256Digest(sha256(named.blob ?? blob));
    const chunks: Buffer[] = [];
    const descriptor = { mediaType: '', digest, size: (named.blob ?? blob).length };
    for await (const chunk of decode(pieces(), descriptor, sha256Digest(sha256(named.tar ?? tar)))) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  const bad = (code: string) => expect.objectContaining({ code }) as Error;
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]); // as zstd:chunked appends

  test.each<[string, Buffer]>([
    ['plain', tar],
    ['gzip', gzipSync(tar)],
    ['gzip of several members', Buffer.concat([gzipSync(tar.subarray(0, 1_000_000)), gzipSync(tar.subarray(1_000_000))])],
    ['zstd', zstdCompressSync(tar)],
    ['zstd of several frames', Buffer.concat([zstdCompressSync(tar.subarray(0, 1_000_000)), zstdCompressSync(tar.subarray(1_000_000))])],
    [
      'zstd of very many frames',
      Buffer.concat(Array.from({ length: 500 }, (_, index) => zstdCompressSync(tar.subarray(index * 10_000, (index + 1) * 10_000)))),
    ],
    ['zstd with a checksum', zstdCompressSync(tar, { params: { [constants.ZSTD_c_checksumFlag]: 1 } })],
    ['zstd that begins with a frame to skip', Buffer.concat([skippable, zstdCompressSync(tar)])],
    ['zstd with a frame to skip at its end', Buffer.concat([zstdCompressSync(tar), skippable])],
  ])('%s is told by its first bytes', async (_name, blob) => {
    expect((await content(blob)).equals(tar)).toBe(true);
    expect((await content(blob, {}, 1_000_003)).equals(tar)).toBe(true);
  });

  test('pieces of one byte are enough', async () => {
    const small = tar.subarray(2_999_000, 3_001_000);
    expect((await content(gzipSync(small), { tar: small }, 1)).equals(small)).toBe(true);
  });

  test('an empty blob is an empty layer', async () => {
    const empty = Buffer.alloc(0);
    expect((await content(empty, { tar: empty })).length).toBe(0);
  });

  test.each<[string, Buffer]>([
    ['gzip', gzipSync(tar)],
    ['zstd', zstdCompressSync(tar)],
    ['plain', tar],
  ])('another blob than the descriptor names is refused (%s)', async (_name, blob) => {
    const changed = Buffer.from(blob);
    changed[10] = changed[10]! ^ 1;
    await expect(content(changed, { blob })).rejects.toEqual(
      expect.objectContaining({ code: expect.stringMatching(/DIGEST_MISMATCH|BAD_ARCHIVE/) as string }),
    );
    await expect(content(blob.subarray(0, -1), { blob })).rejects.toEqual(
      expect.objectContaining({ code: expect.stringMatching(/DIGEST_MISMATCH|BAD_ARCHIVE/) as string }),
    );
    await expect(content(Buffer.concat([blob, Buffer.of(0)]), { blob })).rejects.toEqual(bad('DIGEST_MISMATCH'));
  });

  test.each<[string, Buffer]>([
    ['gzip', gzipSync(tar)],
    ['zstd', zstdCompressSync(tar)],
    ['plain', tar],
  ])('content that is not what the config names is refused (%s)', async (_name, blob) => {
    await expect(content(blob, { tar: Buffer.from('another') })).rejects.toEqual(bad('DIGEST_MISMATCH'));
  });

  test.each<[string, Buffer]>([
    ['gzip', gzipSync(tar).subarray(0, 100_000)],
    ['zstd', zstdCompressSync(tar).subarray(0, 100_000)],
  ])('a blob that its maker cut short is refused (%s)', async (_name, blob) => {
    await expect(content(blob)).rejects.toEqual(
      expect.objectContaining({ code: expect.stringMatching(/DIGEST_MISMATCH|BAD_ARCHIVE/) as string }),
    );
  });

  test('something else after the end of a zstd frame is refused', async () => {
    await expect(content(Buffer.concat([zstdCompressSync(tar), Buffer.from('more')]))).rejects.toEqual(bad('BAD_ARCHIVE'));
  });

  test.each([3, 400_000])('%i bytes of something else after the end of a gzip blob are refused', async (length) => {
    await expect(content(Buffer.concat([gzipSync(tar), Buffer.alloc(length, 'more')]))).rejects.toEqual(bad('BAD_ARCHIVE'));
  });
});

/** A layer that another thread decompresses, and how its blob comes. */
function big(blob: AsyncIterable<Buffer>): Readable {
  return layerStream(blob, { mediaType: '', digest: sha256Digest(sha256('')), size: 100_000_000 }, sha256Digest(sha256('')));
}

test('a big layer fails as its blob does', async () => {
  async function* broken(): AsyncGenerator<Buffer> {
    yield gzipSync(tar).subarray(0, 500_000);
    throw new Error('the connection is gone');
  }
  await expect(big(broken()).toArray()).rejects.toThrow('the connection is gone');
});

test('who stops reading a big layer ends its blob, of which no more is asked for than is needed', async () => {
  let [given, ended] = [0, false];
  async function* endless(): AsyncGenerator<Buffer> {
    try {
      for (; ; given++) yield Buffer.alloc(1_000_000);
    } finally {
      ended = true;
    }
  }
  for await (const _ of big(endless())) {
    await delay(300); // time enough to read far ahead
    break;
  }
  await expect.poll(() => ended).toBe(true);
  expect(given).toBeLessThan(60);
});
