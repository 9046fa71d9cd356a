import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseReference } from '../oci/reference.ts';
import { fakeImage, startFakeServer, type Answer, type FakeServer } from './fake-server.suite.ts';
import { freePort, startRealRegistry } from './real-registry.suite.ts';
import { contentOf, registrySuite, tarOfOneFile } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

registrySuite("Debian's docker-registry", async () => {
  const real = await startRealRegistry();
  return {
    registry: remoteRegistry({ env: {} }),
    host: real.host,
    put: async (...image) => real.put(...image),
    [Symbol.asyncDispose]: () => real[Symbol.asyncDispose](),
  };
});

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
const image = fakeImage();
const quick = { env: {}, pause: 1 };

const problem = (code: string, text: string | RegExp = '') =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(typeof text === 'string' ? new RegExp(text.replace(/[.()[\]]/g, '\\$&')) : text) as string,
  }) as Error;

/** The content of the image's one layer. */
async function pull(server: FakeServer, options: Parameters<typeof remoteRegistry>[0] = quick, name = 'image'): Promise<string> {
  const { layers } = await remoteRegistry(options).get(parseReference(`${server.host}/${name}`), amd64);
  return contentOf(layers[0]!);
}

test('an image of Docker schema 2 is pulled', async () => {
  await using server = await startFakeServer(image.documents);
  expect(await pull(server)).toBe(image.tar.toString('latin1'));
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    `GET ${image.manifestPath}`,
    `GET ${image.configPath}`,
    `GET ${image.layerPath}`,
  ]);
});

test('a registry that is not there is named, with the reason', async () => {
  const host = `127.0.0.1:${await freePort()}`;
  await expect(remoteRegistry(quick).get(parseReference(`${host}/a`), amd64)).rejects.toEqual(
    problem('REGISTRY_UNREACHABLE', `${host} refuses connections (ECONNREFUSED)`),
  );
});

test('a host name that does not exist is named', async () => {
  await expect(remoteRegistry(quick).resolve(parseReference('registry.invalid/a'), amd64)).rejects.toEqual(
    problem('REGISTRY_UNREACHABLE', 'registry.invalid'),
  );
});

test('a digest that is named together with a tag decides, and the tag is not asked for', async () => {
  await using server = await startFakeServer(image.documents);
  expect(await pull(server, quick, `image:other@${image.manifestDigest}`)).toBe(image.tar.toString('latin1'));
});

test('another manifest than the one that was named is refused', async () => {
  const wrong = `sha256:${'0'.repeat(64)}`;
  await using server = await startFakeServer({
    ...image.documents,
    [`/v2/image/manifests/${wrong}`]: image.documents[image.manifestPath]!,
  });
  await expect(pull(server, quick, `image@${wrong}`)).rejects.toEqual(problem('DIGEST_MISMATCH', image.manifestDigest));
});

test.each([
  ['config', image.configPath],
  ['layer', image.layerPath],
])('a %s that was changed, cut or made longer is refused', async (what, path) => {
  const good = Buffer.from(image.documents[path]!.bytes);
  const changed = Buffer.from(good);
  changed[changed.length - 1]! ^= 1;
  for (const bytes of [changed, Buffer.concat([good, Buffer.from(' ')])]) {
    await using server = await startFakeServer({ ...image.documents, [path]: { type: '', bytes } });
    await expect(pull(server)).rejects.toEqual(problem('DIGEST_MISMATCH', what));
  }
  await using short = await startFakeServer({ ...image.documents, [path]: { type: '', bytes: good.subarray(1) } });
  await expect(pull(short)).rejects.toEqual(
    expect.objectContaining({ code: expect.stringMatching(/DIGEST_MISMATCH|REGISTRY_UNREACHABLE/) as string }),
  );
});

test.each<[string, string | Buffer, RegExp]>([
  ['of HTML', '<html>Please log in to the network</html>', /no JSON/],
  ['of another kind', '[]', /no object/],
  ['of Docker schema 1', '{"schemaVersion":1,"fsLayers":[]}', /Docker schema 1/],
  ['of an unknown version', '{"schemaVersion":3}', /unknown version/],
  ['without layers', '{"schemaVersion":2}', /layers/],
  ['that is both an image and an index', '{"schemaVersion":2,"layers":[],"config":{},"manifests":[]}', /two ways/],
  ['of more than 4 MiB', Buffer.alloc(4 * 1024 * 1024 + 1, ' '), /4 MiB/],
])('a manifest %s is refused', async (_what, bytes, why) => {
  await using server = await startFakeServer({ [image.manifestPath]: { type: '', bytes } });
  await expect(pull(server)).rejects.toEqual(problem('REGISTRY_ANSWER', why));
});

test('a blob that the manifest names and the registry lacks is its mistake, not a missing image', async () => {
  const { [image.layerPath]: _gone, ...rest } = image.documents;
  await using server = await startFakeServer(rest);
  await expect(pull(server)).rejects.toEqual(problem('REGISTRY_ANSWER', 'not the blob'));
});

test.each([true, false])('a layer that is cut again and again goes on where it was (ranges: %s)', async (ranges) => {
  let cuts = 0;
  const answer: Answer = (request, response) => {
    if (request.url !== image.layerPath || cuts === 6) return false;
    const start = ranges ? Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': image.layer.length - start,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${image.layer.length - 1}/${image.layer.length}` } : {}),
    });
    const end = ++cuts * 100_000;
    response.write(image.layer.subarray(start, end), () => setTimeout(() => response.destroy(), 5));
    return true;
  };
  await using server = await startFakeServer(image.documents, answer);
  expect(await pull(server)).toBe(image.tar.toString('latin1'));
  expect(server.requests.filter(({ path }) => path === image.layerPath).length).toBe(7);
});

test('a layer that never arrives ends with what happened', async () => {
  await using server = await startFakeServer(
    image.documents,
    (request, response) => request.url === image.layerPath && !!response.destroy(),
  );
  await expect(pull(server)).rejects.toEqual(problem('REGISTRY_UNREACHABLE', 'cut the connection'));
});

test.each([429, 500, 503])('an answer of %i is asked again after the time that the registry names', async (status) => {
  let failures = 0;
  const answer: Answer = (_request, response) => failures++ < 3 && !!response.writeHead(status, { 'retry-after': '0' }).end();
  await using server = await startFakeServer(image.documents, answer);
  expect(await pull(server)).toBe(image.tar.toString('latin1'));
});

test('a registry that stays busy is named', async () => {
  await using server = await startFakeServer({}, (_request, response) => !!response.writeHead(503, { 'retry-after': '0' }).end());
  await expect(pull(server)).rejects.toEqual(problem('REGISTRY_UNREACHABLE', '503'));
});

test('an abort ends a pull at once', async () => {
  const abort = new AbortController();
  await using server = await startFakeServer(image.documents, (request, response) => {
    if (request.url !== image.layerPath) return false;
    response.writeHead(200).write(image.layer.subarray(0, 1000), () => abort.abort());
    return true;
  });
  await expect(pull(server, { ...quick, signal: abort.signal })).rejects.toThrow(/abort/i);
});

test('redirects are followed without handing on what we know', async () => {
  using home = homeWith((host) => ({ [host]: { auth: basic('user', 'secret') } }));
  await using storage = await startFakeServer({ '/elsewhere': image.documents[image.layerPath]! });
  const answer: Answer = (request, response) => {
    if (request.headers.authorization === undefined) return challenge(response, 'Basic realm="x"');
    return request.url === image.layerPath && !!response.writeHead(307, { location: `http://${storage.host}/elsewhere` }).end();
  };
  await using server = await startFakeServer(image.documents, answer);
  expect(await pull(server, { ...quick, env: home.env(server.host) })).toBe(image.tar.toString('latin1'));
  expect(storage.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});

test('redirects in a circle and to other protocols are refused', async () => {
  for (const location of ['/v2/image/manifests/latest', 'file:///etc/passwd', 'http://registry.example/a']) {
    await using server = await startFakeServer({}, (_request, response) => !!response.writeHead(302, { location }).end());
    await expect(pull(server)).rejects.toEqual(problem('REGISTRY_ANSWER', 'redirects'));
  }
});

test('a token is fetched without credentials for who has none, once for all requests', async () => {
  await using server = await startFakeServer(
    image.documents,
    tokenServer(() => 'http://HOST/token'),
  );
  expect(await pull(server)).toBe(image.tar.toString('latin1'));
  const tokens = server.requests.filter(({ path }) => path.startsWith('/token'));
  expect(tokens.map(({ path, headers }) => [path, headers.authorization])).toEqual([
    ['/token?service=the+service&scope=repository%3Aimage%3Apull', undefined],
  ]);
});

test('a token is fetched with the credentials of the registry when they are for the same host', async () => {
  using home = homeWith((host) => ({ [`https://${host}/v1/`]: { auth: basic('user', 'pass:word') } }));
  await using server = await startFakeServer(
    image.documents,
    tokenServer(() => 'http://HOST/token'),
  );
  await pull(server, { ...quick, env: home.env(server.host) });
  const [token] = server.requests.filter(({ path }) => path.startsWith('/token'));
  expect(token!.headers.authorization).toBe(`Basic ${basic('user', 'pass:word')}`);
});

test('an identity token is exchanged by OAuth 2, and a registry token is sent as it is', async () => {
  using identity = homeWith((host) => ({ [host]: { identitytoken: 'refresh me' } }));
  using bearer = homeWith((host) => ({ [host]: { registrytoken: 'good' } }));
  let form = '';
  const serve = tokenServer(() => 'http://HOST/token');
  const answer: Answer = (request, response) => {
    if (request.url !== '/token') return serve(request, response);
    request
      .on('data', (chunk: Buffer) => (form += chunk.toString()))
      .on('end', () => response.writeHead(200).end('{"access_token":"good"}'));
    return true;
  };
  await using server = await startFakeServer(image.documents, answer);
  for (const home of [identity, bearer])
    expect(await pull(server, { ...quick, env: home.env(server.host) })).toBe(image.tar.toString('latin1'));
  expect(server.requests.filter(({ path }) => path.startsWith('/token')).map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /token',
  ]);
  expect(Object.fromEntries(new URLSearchParams(form))).toEqual({
    grant_type: 'refresh_token',
    refresh_token: 'refresh me',
    client_id: 'devenv',
    scope: 'repository:image:pull',
    service: 'the service',
  });
});

test('a realm on another host gets no credentials of the registry', async () => {
  using home = homeWith((host) => ({ [host]: { auth: basic('user', 'secret') } }));
  await using other = await startFakeServer({}, (_request, response) => !!response.writeHead(200).end('{"token":"good"}'));
  await using server = await startFakeServer(
    image.documents,
    tokenServer(() => `http://${other.host}/token`),
  );
  expect(await pull(server, { ...quick, env: home.env(server.host) })).toBe(image.tar.toString('latin1'));
  expect(other.requests.map(({ headers }) => headers.authorization)).toEqual([undefined]);
});

test('a realm that is no safe address is refused', async () => {
  for (const realm of ['http://auth.example/token', 'ftp://auth.example', 'nonsense', '']) {
    await using server = await startFakeServer(
      image.documents,
      tokenServer(() => realm),
    );
    await expect(pull(server)).rejects.toEqual(problem('REGISTRY_ANSWER', 'no safe address'));
  }
});

test('a token that has expired is fetched again', async () => {
  let served = 0;
  const serve = tokenServer(() => 'http://HOST/token');
  const answer: Answer = (request, response) => {
    if (request.url === image.layerPath && served++ === 0)
      return challenge(response, `Bearer realm="http://${request.headers.host}/token"`);
    return serve(request, response);
  };
  await using server = await startFakeServer(image.documents, answer);
  expect(await pull(server)).toBe(image.tar.toString('latin1'));
});

test('who is not let in learns why and what to do, and no secret is told', async () => {
  using home = homeWith((host) => ({ [host]: { auth: basic('user', 'hush-hush') } }));
  const answer: Answer = (_request, response) =>
    !!response
      .writeHead(401, { 'www-authenticate': 'Basic realm="x"' })
      .end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
  await using server = await startFakeServer({}, answer);
  const error = await pull(server).catch((reason: unknown) => reason as Error & { hint: string });
  expect(error).toEqual(problem('REGISTRY_DENIED', 'authentication required'));
  expect((error as { hint: string }).hint).toContain(`devenv login ${server.host}`);
  const second = await pull(server, { ...quick, env: home.env(server.host) }).catch((reason: unknown) => reason as Error);
  expect(second).toEqual(problem('REGISTRY_DENIED'));
  expect(JSON.stringify([second, (second as Error).stack])).not.toMatch(/hush-hush|dXNlcjpodXNoLWh1c2g/);
});

test("Debian's docker-registry with a password lets in who has it, and nobody else", async () => {
  const htpasswd = 'user:$2b$05$p.8uOQjzSEPwECDLWCR.GujR4NzBPaZWja6zMsb/iVaQf2MGhfxSu\n';
  await using real = await startRealRegistry({ htpasswd, credentials: 'user:secret' });
  real.put('private', 'latest', [{ platform: amd64, layers: [tarOfOneFile('a', 'b')] }]);
  const name = parseReference(`${real.host}/private`);
  using home = homeWith((host) => ({ [host]: { auth: basic('user', 'secret') } }));
  const { layers } = await remoteRegistry({ env: home.env(real.host) }).get(name, amd64);
  expect(await contentOf(layers[0]!)).toBe(tarOfOneFile('a', 'b').toString('latin1'));
  using wrong = homeWith((host) => ({ [host]: { auth: basic('user', 'wrong') } }));
  for (const env of [{}, wrong.env(real.host)])
    await expect(remoteRegistry({ env }).get(name, amd64)).rejects.toEqual(problem('REGISTRY_DENIED'));
});

function basic(user: string, password: string): string {
  return Buffer.from(`${user}:${password}`).toString('base64');
}

function challenge(response: ServerResponse, text: string): boolean {
  response.writeHead(401, { 'www-authenticate': text }).end('{"errors":[{"code":"UNAUTHORIZED"}]}');
  return true;
}

/** Wants the token `good`, from a realm; serves it itself where the realm is here (`HOST`). */
function tokenServer(realm: () => string): Answer {
  return (request, response) => {
    if (request.url!.startsWith('/token')) return !!response.writeHead(200).end('{"token":"good","expires_in":300}');
    if (request.headers.authorization === 'Bearer good') return false;
    return challenge(
      response,
      `Bearer realm="${realm().replace('HOST', request.headers.host!)}",service="the service",scope="repository:image:pull"`,
    );
  };
}

/** A home directory with Docker's configuration file. */
function homeWith(auths: (host: string) => object): Disposable & { env(host: string): Record<string, string> } {
  const home = mkdtempSync(join(tmpdir(), 'devenv-home-'));
  return {
    env(host) {
      mkdirSync(join(home, '.docker'), { recursive: true });
      writeFileSync(join(home, '.docker/config.json'), JSON.stringify({ auths: auths(host) }));
      return { HOME: home };
    },
    [Symbol.dispose]: () => rmSync(home, { recursive: true }),
  };
}
