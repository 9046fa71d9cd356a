import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../base/canonical-json.ts';
import type { Digest } from '../oci/digest.ts';
import type { Image, Layer } from '../oci/image.ts';
import { parseReference } from '../oci/reference.ts';
import { startFakeServer, type Answer, type FakeServer } from './fake-server.suite.ts';
import { startRealRegistry, type RealRegistry } from './real-registry.suite.ts';
import { contentOf, tarOfOneFile } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
const lower = tarOfOneFile('lower', 'first');
const upper = tarOfOneFile(
  'upper',
  randomBytes(4_500_000)
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]/g, 'x'),
);
const quick = { env: {}, pause: 1 };

let real: RealRegistry;
let other: RealRegistry;
let scratch: string;
beforeAll(async () => {
  [real, other] = await Promise.all([startRealRegistry(), startRealRegistry()]);
  scratch = mkdtempSync(join(tmpdir(), 'devenv-push-'));
});
afterAll(async () => {
  await Promise.all([real[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]);
  rmSync(scratch, { recursive: true });
});

test('an image that was made here is pushed, is what skopeo sees, and comes back as it was', async () => {
  const registry = remoteRegistry(quick);
  const image = madeImage([lower, upper, lower]);
  const pushed = await registry.put(name('made:1'), image);
  expect(pushed).toMatchObject({ kept: false, layers: [{ how: 'sent' }, { how: 'sent' }, { how: 'sent' }] });
  const seen = JSON.parse(real.skopeo('inspect', '--tls-verify=false', `docker://${real.host}/made:1`)) as {
    Digest: string;
    Layers: string[];
  };
  expect(seen).toMatchObject({ Digest: pushed.digest, Layers: pushed.layers.map(({ blob }) => blob.digest) });
  const back = await registry.get(name('made:1'), amd64);
  expect([back.id, ...(await Promise.all(back.layers.map((layer) => contentOf(layer))))]).toEqual([
    image.id,
    ...[lower, upper, lower].map((tar) => tar.toString('latin1')),
  ]);
});

test('compressed with zstd it is read by skopeo, too', async () => {
  const pushed = await remoteRegistry(quick).put(name('zstd:1'), madeImage([upper]), { compression: 'zstd' });
  expect(pushed.layers[0]!.blob.mediaType).toMatch(/\+zstd$/);
  real.skopeo('copy', '-q', '--src-tls-verify=false', `docker://${real.host}/zstd:1`, `oci:${join(scratch, 'zstd')}:1`);
});

test('a second push sends nothing but the layer that is new', async () => {
  const registry = remoteRegistry(quick);
  const first = await registry.put(name('again:1'), madeImage([lower, upper]));
  const known = first.layers.map(({ diffId, blob }, index) => ({ ...layerOf([lower, upper][index]!), diffId, blob }));
  const changed = madeImage([lower, upper, tarOfOneFile('new', 'more')]);
  let sent = 0;
  const second = await registry.put(
    name('again:2'),
    { ...changed, layers: [...known, changed.layers[2]!] },
    { onBytes: (count) => (sent += count) },
  );
  expect(second.layers.map(({ how }) => how)).toEqual(['present', 'present', 'sent']);
  expect(sent).toBe(second.layers[2]!.blob.size);
});

test('what was pulled keeps its manifest: mounted within a registry, streamed through to another', async () => {
  real.put('base', '1', [{ platform: amd64, layers: [lower, upper, tarOfOneFile('third', 'plain')] }]);
  const registry = remoteRegistry(quick);
  const image = await registry.get(name('base:1'), amd64);
  const mounted = await registry.put(name('mounted/copy:1'), image);
  expect(mounted).toMatchObject({
    kept: true,
    digest: image.manifest!.digest,
    layers: [{ how: 'mounted' }, { how: 'mounted' }, { how: 'mounted' }],
  });
  const streamed = await registry.put(parseReference(`${other.host}/copy:1`), image);
  expect(streamed).toMatchObject({
    kept: true,
    digest: image.manifest!.digest,
    layers: [{ how: 'sent' }, { how: 'sent' }, { how: 'sent' }],
  });
  expect((await registry.get(parseReference(`${other.host}/copy:1`), amd64)).id).toBe(image.id);
});

test('a blob that cannot be had any more is made anew, and so is the manifest', async () => {
  const pulled = await pulledImage('gone');
  const layers = pulled.layers.map(({ diffId, blob }) => ({ ...layerOf(lower), diffId, blob: blob!, sources: [`${real.host}/nowhere`] }));
  const pushed = await remoteRegistry(quick).put(parseReference(`${other.host}/anew:1`), { ...pulled, layers }, { compression: 'zstd' });
  expect(pushed).toMatchObject({ kept: false, layers: [{ how: 'sent' }] });
});

if (process.env['DEVENV_TEST_FULL'])
  test('as many layers as Docker allows, one of them empty, are pushed, mounted and pulled', { timeout: 120_000 }, async () => {
    const tars = [Buffer.alloc(1024), ...Array.from({ length: 127 }, (_, index) => tarOfOneFile(`file${index}`, String(index)))];
    const registry = remoteRegistry(quick);
    const image = madeImage(tars);
    const sent = await registry.put(name('many:1'), image);
    const pulled = await registry.get(name('many:1'), amd64);
    const copied = await registry.put(name('many-more:1'), pulled);
    expect(copied).toMatchObject({ digest: sent.digest, kept: true, layers: tars.map(() => ({ how: 'mounted' })) });
    const contents: string[] = [];
    for (const layer of pulled.layers) contents.push(await contentOf(layer));
    expect(contents).toEqual(tars.map((tar) => tar.toString('latin1')));
  });

test('a name without a tag cannot be pushed to', async () => {
  await expect(remoteRegistry(quick).put(name(`a@sha256:${'0'.repeat(64)}`), madeImage([]))).rejects.toMatchObject({ code: 'BAD_VALUE' });
});

test('an upload that is cut goes on where the registry is', async () => {
  let stored = Buffer.alloc(0);
  let cuts = 0;
  const received: number[] = [];
  await using server = await startFakeServer({}, (request, response) => {
    const location = { location: '/v2/a/blobs/uploads/1', range: `0-${stored.length - 1}` };
    if (request.method === 'HEAD') return !!response.writeHead(404).end();
    if (request.method === 'POST') return !!response.writeHead(202, location).end();
    if (request.method === 'GET') return !!response.writeHead(204, location).end();
    const isLayer = request.method === 'PATCH';
    if (isLayer) received.push(stored.length);
    request.on('data', (chunk: Buffer) => {
      if (!isLayer || request.destroyed) return;
      stored = Buffer.concat([stored, chunk]);
      if (stored.length > (cuts + 1) * 700_000 && cuts < 2 && ++cuts) request.destroy();
    });
    request.on('end', () => response.writeHead(isLayer ? 202 : 201, isLayer ? { ...location, range: '' } : {}).end());
    return true;
  });
  const told: number[] = [];
  const pushed = await remoteRegistry(quick).put(parseReference(`${server.host}/a:1`), madeImage([upper]), {
    onBytes: (count) => told.push(count),
  });
  const { size, digest } = pushed.layers[0]!.blob;
  expect([stored.length, `sha256:${sha256(stored)}`]).toEqual([size, digest]);
  expect(received.map((start) => Math.floor(start / 700_000))).toEqual([0, 1, 2]);
  expect(told.reduce((sum, count) => sum + count, 0)).toBe(size);
});

test("an upload to Debian's docker-registry that is cut begins anew, since that one forgets it", async () => {
  let cuts = 0;
  await using proxy = await startProxy((request, _response, pass) =>
    pass(request.method === 'PATCH' && cuts++ < 2 ? 1_000_000 : undefined),
  );
  await remoteRegistry(quick).put(parseReference(`${proxy.host}/cut:1`), madeImage([upper]));
  expect(cuts).toBe(3);
  const back = await remoteRegistry(quick).get(name('cut:1'), amd64);
  expect(await contentOf(back.layers[0]!)).toBe(upper.toString('latin1'));
});

test('who takes no large bodies gets pieces', async () => {
  const lengths: number[] = [];
  await using proxy = await startProxy((request, response, pass) => {
    const length = Number(request.headers['content-length'] ?? Infinity);
    if (request.method === 'PATCH' && length > 8 * 1024 * 1024) {
      request.resume();
      response.writeHead(413).end();
      return;
    }
    if (request.method === 'PATCH') lengths.push(length);
    pass();
  });
  const noise = randomBytes(9_000_000); // does not get smaller
  const pushed = await remoteRegistry(quick).put(parseReference(`${proxy.host}/pieces:1`), madeImage([noise]));
  expect(lengths).toEqual([8 * 1024 * 1024, pushed.layers[0]!.blob.size - 8 * 1024 * 1024]);
  const back = await remoteRegistry(quick).get(name('pieces:1'), amd64);
  expect(await contentOf(back.layers[0]!)).toBe(noise.toString('latin1'));
});

test('the manifest comes last: a push that fails leaves the name as it was', async () => {
  await using proxy = await startProxy((request, response, pass) => {
    if (request.method === 'PUT' && request.url!.includes('/blobs/')) {
      request.resume();
      response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}');
    } else pass();
  });
  const to = parseReference(`${proxy.host}/last:1`);
  await expect(remoteRegistry(quick).put(to, madeImage([lower]))).rejects.toMatchObject({
    code: 'REGISTRY_ANSWER',
    message: expect.stringContaining('did not match') as string,
  });
  expect(await remoteRegistry(quick).resolve(to, amd64)).toBeUndefined();
});

test.each([
  [429, 'REGISTRY_LIMIT'],
  [500, 'REGISTRY_UNREACHABLE'],
  [404, 'REGISTRY_ANSWER'],
  [403, 'REGISTRY_DENIED'],
])('an answer of %i to a push ends with %s', async (status, code) => {
  await using server = await startFakeServer({}, (request, response) => {
    request.resume();
    if (request.method === 'HEAD') response.writeHead(404).end();
    else response.writeHead(status, { 'retry-after': '0' }).end();
    return true;
  });
  await expect(remoteRegistry(quick).put(parseReference(`${server.host}/a:1`), madeImage([lower]))).rejects.toMatchObject({ code });
});

test('what is sent to a location on another host has no credentials', async () => {
  const seen: (string | undefined)[] = [];
  const storage: Answer = (request, response) => {
    request.resume().on('end', () => response.writeHead(request.method === 'PUT' ? 201 : 202, { location: '/s' }).end());
    seen.push(request.headers.authorization);
    return true;
  };
  await using elsewhere = await startFakeServer({}, storage);
  const answer: Answer = (request, response) => {
    if (request.url === '/token' || request.url!.startsWith('/token?')) return !!response.writeHead(200).end('{"token":"good"}');
    if (request.headers.authorization !== 'Bearer good')
      return !!response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` }).end();
    if (request.method === 'HEAD') return !!response.writeHead(404).end();
    request.resume();
    if (request.method === 'POST') return !!response.writeHead(202, { location: `http://${elsewhere.host}/s?state=1` }).end();
    return !!response.writeHead(201).end();
  };
  await using server = await startFakeServer({}, answer);
  await remoteRegistry(quick).put(parseReference(`${server.host}/a:1`), madeImage([lower]));
  expect(seen.length).toBeGreaterThan(2);
  expect(new Set(seen)).toEqual(new Set([undefined]));
});

const name = (text: string) => parseReference(`${real.host}/${text}`);

function layerOf(tar: Buffer): Layer {
  return {
    diffId: `sha256:${sha256(tar)}` as Digest,
    open: async () => {
      const { Readable } = await import('node:stream');
      return Readable.from([tar.subarray(0, 1000), tar.subarray(1000)]);
    },
  };
}

function madeImage(tars: readonly Buffer[]): Pick<Image, 'document' | 'layers' | 'id'> {
  const layers = tars.map(layerOf);
  const document = Buffer.from(
    JSON.stringify({ ...amd64, config: {}, rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) } }),
  );
  return { document, id: `sha256:${sha256(document)}` as Digest, layers };
}

async function pulledImage(repository: string): Promise<Image> {
  real.put(repository, '1', [{ platform: amd64, layers: [lower] }]);
  return remoteRegistry(quick).get(name(`${repository}:1`), amd64);
}

/** Stands before the real registry. `pass(n)` hands on n bytes of the body and then cuts both lines. */
function startProxy(
  handle: (request: IncomingMessage, response: ServerResponse, pass: (bytes?: number) => void) => void,
): Promise<FakeServer> {
  const answer: Answer = (request, response) => {
    handle(request, response, (bytes) => {
      const [hostname, port] = real.host.split(':');
      // Locations are to lead through here again.
      const onwards = forward({ hostname, port, method: request.method, path: request.url, headers: request.headers });
      onwards.on('response', (answered) => {
        response.writeHead(answered.statusCode!, answered.headers);
        answered.pipe(response);
      });
      onwards.on('error', () => response.destroy());
      if (bytes === undefined) {
        request.pipe(onwards);
        return;
      }
      let left = bytes;
      request.on('data', (chunk: Buffer) => {
        if (left <= 0) return;
        left -= chunk.length;
        onwards.write(chunk);
        if (left <= 0) setTimeout(() => (onwards.destroy(), request.socket.destroy()), 100);
      });
    });
    return true;
  };
  return startFakeServer({}, answer);
}
