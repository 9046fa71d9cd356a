import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../base/canonical-json.ts';
import { UserError } from '../base/errors.ts';
import { parseReference } from '../oci/reference.ts';
import { fakeImage, startFakeServer, type Answer, type FakeServer } from './fake-server.suite.ts';
import { contentOf } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

/*
 * Whatever a registry does, a pull ends, with an error that says what to do, and nothing that we know has gone to anybody whom
 * it was not meant for.
 */

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
const image = fakeImage();
const secret = 'hush-hush';
const header = `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`;

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'devenv-hostile-'))));
afterAll(() => rmSync(directory, { recursive: true }));

/** As one who is logged in at that host. */
function registryFor(host: string): ReturnType<typeof remoteRegistry> {
  const file = join(directory, 'auth.json');
  writeFileSync(file, JSON.stringify({ auths: { [host]: { auth: header.slice('Basic '.length) } } }));
  return remoteRegistry({ env: { REGISTRY_AUTH_FILE: file }, pause: 1, silence: 300 });
}

async function pull(host: string): Promise<string> {
  const { layers } = await registryFor(host).get(parseReference(`${host}/image`), amd64);
  return contentOf(layers[0]!);
}

/** The error as people see it. Every one has a hint, and none has a secret. */
async function failureOf(host: string): Promise<UserError> {
  const error = await pull(host).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof UserError)) throw new Error('no error for people', { cause: error });
  const told = JSON.stringify([error.message, error.hint, error.stack, String(error.cause)]);
  expect(told).not.toContain(secret);
  expect(told).not.toContain(header.slice('Basic '.length));
  expect(error.hint).toBeTruthy();
  return error;
}

const isLayer = (path: string | undefined) => path === image.layerPath;
const challenge = (response: ServerResponse, text: string) => !!response.writeHead(401, { 'www-authenticate': text }).end();

test.each<[string, Answer, string, RegExp]>([
  ['never answers', () => true, 'REGISTRY_UNREACHABLE', /was silent/],
  [
    'begins an answer and never ends it',
    (_, response) => response.writeHead(200).write('{"schema') || true,
    'REGISTRY_UNREACHABLE',
    /was silent/,
  ],
  [
    'stops in the middle of a layer',
    (request, response) =>
      isLayer(request.url) &&
      (response.writeHead(200, { 'content-length': image.layer.length }).write(image.layer.subarray(0, 10)) || true),
    'REGISTRY_UNREACHABLE',
    /was silent/,
  ],
  ['closes each connection', (_, response) => !!response.destroy(), 'REGISTRY_UNREACHABLE', /cut the connection/],
  [
    'closes half-way through the manifest',
    (_, response) => (response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy()), true),
    'REGISTRY_UNREACHABLE',
    /cut the connection/,
  ],
  ['answers 401 without a word', (_, response) => !!response.writeHead(401).end(), 'REGISTRY_DENIED', /answers 401/],
  ['answers 403', (_, response) => !!response.writeHead(403).end(), 'REGISTRY_DENIED', /answers 403/],
  ['answers 404', (_, response) => !!response.writeHead(404).end(), 'IMAGE_NOT_FOUND', /There is no image/],
  ['answers 418', (_, response) => !!response.writeHead(418).end(), 'REGISTRY_ANSWER', /answers 418/],
  ['answers 429', (_, response) => !!response.writeHead(429, { 'retry-after': '0' }).end(), 'REGISTRY_LIMIT', /limits how often/],
  ['answers 500', (_, response) => !!response.writeHead(500).end(), 'REGISTRY_UNREACHABLE', /answers 500/],
  [
    'says back what it was sent',
    (request, response) =>
      !!response
        .writeHead(request.headers.authorization ? 403 : 401, { 'www-authenticate': 'Basic realm="x"' })
        .end(JSON.stringify({ errors: [{ message: `you sent ${request.headers.authorization}, ${secret}` }] })),
    'REGISTRY_DENIED',
    /answers 403/,
  ],
  [
    'redirects in a circle',
    (request, response) => !!response.writeHead(307, { location: request.url! }).end(),
    'REGISTRY_ANSWER',
    /circle/,
  ],
  [
    'redirects to a host without encryption',
    (_, response) => !!response.writeHead(307, { location: 'http://registry.example/x' }).end(),
    'REGISTRY_ANSWER',
    /not encrypted/,
  ],
  [
    'wants a token from a host without encryption',
    (_, response) => challenge(response, 'Bearer realm="http://auth.example/token"'),
    'REGISTRY_ANSWER',
    /no safe address/,
  ],
  ['wants a token from nowhere', (_, response) => challenge(response, 'Bearer service="x"'), 'REGISTRY_ANSWER', /no safe address/],
  ['wants an unknown kind of credentials', (_, response) => challenge(response, 'Negotiate'), 'REGISTRY_DENIED', /answers 401/],
  [
    'gives a token that is no text',
    (request, response) =>
      request.url!.startsWith('/token')
        ? !!response.end('{"token":{"a":1}}')
        : challenge(response, `Bearer realm="http://${request.headers.host}/token"`),
    'REGISTRY_ANSWER',
    /without a token/,
  ],
  [
    'gives a token with line breaks',
    (request, response) =>
      request.url!.startsWith('/token')
        ? !!response.end('{"token":"a\\r\\nx: y"}')
        : challenge(response, `Bearer realm="http://${request.headers.host}/token"`),
    'REGISTRY_ANSWER',
    /without a token/,
  ],
  [
    'gives a token that is not enough',
    (request, response) =>
      request.url!.startsWith('/token')
        ? !!response.end('{"token":"x"}')
        : challenge(response, `Bearer realm="http://${request.headers.host}/token"`),
    'REGISTRY_DENIED',
    /answers 401/,
  ],
  ['sends an endless manifest', (_, response) => endless(response), 'REGISTRY_ANSWER', /longer than 4 MiB/],
  ['sends an endless layer', (request, response) => isLayer(request.url) && endless(response), 'DIGEST_MISMATCH', /longer than/],
  [
    'sends garbage as a layer',
    (request, response) => isLayer(request.url) && !!response.end(Buffer.alloc(image.layer.length, 7)),
    'DIGEST_MISMATCH',
    /its digest is/,
  ],
  ['sends another range than was asked for', otherRange(), 'DIGEST_MISMATCH', /is not what was asked for/],
])('a registry that %s', async (_what, answer, code, message) => {
  await using server = await startFakeServer(image.documents, answer);
  expect(await failureOf(server.host)).toMatchObject({ code, message: expect.stringMatching(message) as string });
});

test.each([
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['half a header', 'HTTP/1.1 200 OK\r\ncontent-le'],
  ['a header without an end', `HTTP/1.1 200 OK\r\nx: ${'y'.repeat(200_000)}`],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!'],
])('a server that speaks %s', async (_what, bytes) => {
  const server = createServer((socket) => socket.on('error', () => {}).on('data', () => socket.write(bytes, () => socket.end())));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const error = await pull(host).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: 'UserError', code: 'REGISTRY_UNREACHABLE' });
  server.close();
});

test('a wait that is too long is not waited: the limit is named, with the time', async () => {
  await using server = await startFakeServer(
    {},
    (_request, response) => !!response.writeHead(429, { 'retry-after': '3600', 'ratelimit-limit': '100;w=21600' }).end(),
  );
  const error = await failureOf(server.host);
  expect(error).toMatchObject({
    code: 'REGISTRY_LIMIT',
    message: expect.stringContaining('100 requests') as string,
    hint: expect.stringContaining('60 minutes') as string,
  });
  expect(server.requests).toHaveLength(1);
});

test('credentials that a redirect, a foreign address or a location could carry away stay here', async () => {
  await using thief = await startFakeServer({ '/layer': image.documents[image.layerPath]! }, (request, response) => {
    // It asks for them, as a registry would.
    if (request.headers.authorization === undefined && request.url === '/asks') return challenge(response, 'Basic realm="x"');
    return false;
  });
  for (const target of ['/layer', '/asks']) {
    await using server = await startFakeServer(image.documents, (request, response) => {
      if (request.headers.authorization === undefined) return challenge(response, 'Basic realm="x"');
      return isLayer(request.url) && !!response.writeHead(307, { location: `http://user:pass@${thief.host}${target}` }).end();
    });
    await pull(server.host).catch(() => {});
  }
  expect(thief.requests.length).toBeGreaterThan(1);
  expect(thief.requests.map(({ headers }) => headers.authorization)).toEqual(thief.requests.map(() => undefined));
});

test('a foreign layer comes from its own address, without credentials, when the registry has it not', async () => {
  await using elsewhere = await startFakeServer({ '/layer': image.documents[image.layerPath]! });
  const foreign = withForeignLayer(`http://${elsewhere.host}/layer`);
  await using server = await startFakeServer(
    foreign,
    (request, response) => request.headers.authorization === undefined && challenge(response, 'Basic realm="x"'),
  );
  expect(await pull(server.host)).toBe(image.tar.toString('latin1'));
  expect(elsewhere.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});

test.each(['http://elsewhere.example/layer', 'file:///etc/passwd', 'nonsense'])('a foreign layer at %s is not fetched', async (address) => {
  await using server = await startFakeServer(withForeignLayer(address));
  expect(await failureOf(server.host)).toMatchObject({ code: 'REGISTRY_ANSWER' });
});

test('an index in an index is followed once, and not further', async () => {
  const manifest = image.documents[image.manifestPath]!;
  const type = 'application/vnd.oci.image.index.v1+json';
  const entry = { digest: image.manifestDigest, mediaType: manifest.type, size: manifest.bytes.length, platform: amd64 };
  const documents = { ...image.documents };
  const wrap = (inner: object): object => {
    const bytes = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [inner] });
    const digest = `sha256:${sha256(bytes)}`;
    documents[`/v2/image/manifests/${digest}`] = documents[image.manifestPath] = { type, bytes };
    return { digest, mediaType: type, size: bytes.length, platform: amd64 };
  };
  let inner = wrap(wrap(entry));
  await using server: FakeServer = await startFakeServer(documents);
  expect(await pull(server.host)).toBe(image.tar.toString('latin1'));
  inner = wrap(inner);
  expect(await failureOf(server.host)).toMatchObject({
    code: 'REGISTRY_ANSWER',
    message: expect.stringContaining('index of an index') as string,
  });
});

test.each([
  [
    'a list of tags without an end',
    (request: { url?: string | undefined }, response: ServerResponse) =>
      !!response.writeHead(200, { link: `<${request.url}>; rel="next"` }).end('{"tags":["a"]}'),
    /no end/,
  ],
  [
    'a list that leads to another protocol',
    (_: unknown, response: ServerResponse) => !!response.writeHead(200, { link: '<file:///etc/passwd>; rel="next"' }).end('{"tags":["a"]}'),
    /not encrypted/,
  ],
  ['a list of HTML', (_: unknown, response: ServerResponse) => !!response.end('<html>'), /no JSON/],
  ['an endless list', (_: unknown, response: ServerResponse) => endless(response), /longer than 4 MiB/],
])('%s is refused', async (_what, answer, message) => {
  await using server = await startFakeServer({}, answer);
  const listed = registryFor(server.host).tags({ registry: server.host, repository: 'image' });
  await expect(listed).rejects.toMatchObject({ code: 'REGISTRY_ANSWER', message: expect.stringMatching(message) as string });
});

test('tags that are none are left out: they would be printed', async () => {
  const tags = ['good-1.0', '\u001b[31mred', 'a b', 7, null, '', '-x', 'x'.repeat(129)];
  await using server = await startFakeServer({}, (_request, response) => !!response.end(JSON.stringify({ tags })));
  expect(await registryFor(server.host).tags({ registry: server.host, repository: 'image' })).toEqual(['good-1.0']);
});

function endless(response: ServerResponse): boolean {
  response.writeHead(200);
  const piece = Buffer.alloc(256 * 1024, ' ');
  const more = (): void => {
    while (!response.destroyed && response.write(piece));
  };
  response.on('drain', more);
  more();
  return true;
}

/** Cuts the layer once, and then answers with its beginning as if it were the rest. */
function otherRange(): Answer {
  let cuts = 0;
  return (request, response) => {
    if (!isLayer(request.url)) return false;
    if (cuts++ === 0) {
      response.writeHead(200, { 'content-length': image.layer.length });
      response.write(image.layer.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
      return true;
    }
    const start = Number(/[0-9]+/.exec(request.headers.range ?? '')?.[0] ?? 0);
    response.writeHead(206, { 'content-range': `bytes ${start}-${image.layer.length - 1}/${image.layer.length}` });
    return !!response.end(image.layer.subarray(0, image.layer.length - start));
  };
}

function withForeignLayer(address: string): typeof image.documents {
  const { [image.layerPath]: _gone, ...documents } = image.documents;
  const manifest = JSON.parse(String(documents[image.manifestPath]!.bytes)) as { layers: { mediaType: string; urls: string[] }[] };
  Object.assign(manifest.layers[0]!, { mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip', urls: [address] });
  return { ...documents, [image.manifestPath]: { type: documents[image.manifestPath]!.type, bytes: JSON.stringify(manifest) } };
}
