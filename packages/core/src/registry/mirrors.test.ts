import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseReference } from '../oci/reference.ts';
import { fakeImage, startFakeServer, type Answer } from './fake-server.suite.ts';
import { freePort } from './real-registry.suite.ts';
import { contentOf } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
const image = fakeImage();
const proxied = fakeImage('hub/image');

async function pull(host: string, mirrors: readonly string[], env: Record<string, string> = {}): Promise<string> {
  const registry = remoteRegistry({ env, pause: 1, settings: { [host]: { mirrors } } });
  const { layers } = await registry.get(parseReference(`${host}/image`), amd64);
  return contentOf(layers[0]!);
}

test('a mirror is asked first, below the path that its address has, and the registry then not at all', async () => {
  await using mirror = await startFakeServer(proxied.documents);
  await using origin = await startFakeServer({});
  expect(await pull(origin.host, [`http://${mirror.host}/hub`])).toBe(image.tar.toString('latin1'));
  expect(mirror.requests.map(({ path }) => path)).toEqual([proxied.manifestPath, proxied.configPath, proxied.layerPath]);
  expect(origin.requests).toEqual([]);
});

test.each<[string, Answer]>([
  ['has nothing', () => false],
  ['lets nobody in', (_request, response) => !!response.writeHead(403).end()],
  ['is broken', (_request, response) => !!response.writeHead(500).end()],
  ['cuts each connection', (_request, response) => !!response.destroy()],
  ['answers with a page', (_request, response) => !!response.writeHead(302, { location: 'http://elsewhere.example/' }).end()],
])('a mirror that %s hinders nobody', async (_what, answer) => {
  await using mirror = await startFakeServer({}, answer);
  await using origin = await startFakeServer(image.documents);
  expect(await pull(origin.host, [`http://127.0.0.1:${await freePort()}`, `http://${mirror.host}`])).toBe(image.tar.toString('latin1'));
});

test('a mirror that breaks off in the middle of a layer is left, and the registry goes on there', async () => {
  await using mirror = await startFakeServer(image.documents, (request, response) => {
    if (request.url !== image.layerPath) return false;
    response.writeHead(200, { 'content-length': image.layer.length });
    response.write(image.layer.subarray(0, 100_000), () => setTimeout(() => response.destroy(), 20));
    return true;
  });
  await using origin = await startFakeServer(image.documents);
  expect(await pull(origin.host, [`http://${mirror.host}`])).toBe(image.tar.toString('latin1'));
  expect(origin.requests.map(({ path, headers }) => [path, headers.range])).toEqual([[image.layerPath, expect.stringMatching(/^bytes=/)]]);
});

test('a mirror that wants credentials gets none of the registry, and is not asked twice', async () => {
  await using mirror = await startFakeServer(
    {},
    (_request, response) => !!response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
  );
  await using origin = await startFakeServer(
    image.documents,
    (request, response) =>
      request.headers.authorization === undefined && !!response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
  );
  const directory = mkdtempSync(join(tmpdir(), 'devenv-mirror-'));
  const env = { REGISTRY_AUTH_FILE: join(directory, 'auth.json') };
  writeFileSync(
    env.REGISTRY_AUTH_FILE,
    JSON.stringify({ auths: { [origin.host]: { auth: Buffer.from('user:secret').toString('base64') } } }),
  );
  expect(await pull(origin.host, [`http://${mirror.host}`], env)).toBe(image.tar.toString('latin1'));
  expect(mirror.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  rmSync(directory, { recursive: true });
});
