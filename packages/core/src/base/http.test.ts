import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createPlainServer, type Server } from 'node:http';
import { createServer } from 'node:https';
import { connect, type AddressInfo } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { httpClient, HttpFailure, isLoopback, type HttpClient } from './http.ts';

/** An address of this machine that is not loopback: there https is the rule. */
const address = Object.values(networkInterfaces())
  .flatMap((addresses) => addresses ?? [])
  .find(({ internal, family }) => !internal && family === 'IPv4')?.address;

let directory: string;
let server: Server;
let url: URL;
const certificate = () => join(directory, 'cert.pem');

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'devenv-http-'));
  const names = `subjectAltName=IP:127.0.0.1${address ? `,IP:${address}` : ''}`;
  const key = join(directory, 'key.pem');
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=test',
      '-addext',
      names,
      '-keyout',
      key,
      '-out',
      certificate(),
    ],
    { stdio: 'ignore' },
  );
  server = createServer(
    { key: readFileSync(key), cert: readFileSync(certificate()) },
    (_request, response) => void response.end('secret answer'),
  );
  await new Promise<void>((resolve) => server.listen(0, address ?? '127.0.0.1', resolve));
  url = new URL(`https://${address ?? '127.0.0.1'}:${(server.address() as AddressInfo).port}/`);
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true });
});

async function text(client: HttpClient, from: URL): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of (await client(from)).body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

test('a certificate that nobody here knows is refused, with what to do', async () => {
  const failure = await httpClient({})(url).catch((error: unknown) => error as HttpFailure);
  expect(failure).toBeInstanceOf(HttpFailure);
  expect((failure as HttpFailure).message).toMatch(/certificate that is not trusted/);
  expect((failure as HttpFailure).hint).toMatch(/update-ca-certificates/);
  expect((failure as HttpFailure).temporary).toBe(false);
});

test('a proxy that does not answer is named, and is not taken for the server', async () => {
  const failed = (proxy: string): Promise<unknown> =>
    httpClient({ HTTPS_PROXY: proxy })(new URL('https://registry.example/')).catch((error: unknown) => error);
  expect(await failed('http://127.0.0.1:9')).toMatchObject({
    message: 'the proxy 127.0.0.1:9, through which registry.example is asked, refuses connections (ECONNREFUSED)',
    hint: expect.stringContaining('HTTPS_PROXY'),
  });
  expect(await failed('http://proxy.invalid:9')).toMatchObject({
    message: expect.stringMatching(/^the proxy proxy\.invalid, .* cannot be/),
  });
});

test('an authority of the bundle in SSL_CERT_FILE is trusted', async () => {
  expect(await text(httpClient({ SSL_CERT_FILE: certificate() }), url)).toBe('secret answer');
});

test('https to a server that speaks http says so', async () => {
  const plain = createPlainServer((_request, response) => void response.end());
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const { port } = plain.address() as AddressInfo;
  await expect(httpClient({})(new URL(`https://127.0.0.1:${port}/`))).rejects.toThrow(/does not speak https/);
  plain.close();
});

test.runIf(address)('the proxy of the environment is used, except for what NO_PROXY names and this machine itself', async () => {
  const tunnels: string[] = [];
  const proxy = createPlainServer().on('connect', (request, socket) => {
    tunnels.push(request.url!);
    const [host, port] = request.url!.split(':');
    const upstream = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(upstream).pipe(socket);
    });
    upstream.on('error', () => socket.destroy());
    socket.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const env = { HTTPS_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, SSL_CERT_FILE: certificate() };
  expect(await text(httpClient(env), url)).toBe('secret answer');
  expect(tunnels).toEqual([url.host]);
  expect(await text(httpClient({ ...env, NO_PROXY: address }), url)).toBe('secret answer');
  expect(tunnels).toEqual([url.host]);
  const unused = createPlainServer((_request, response) => void response.end('here'));
  await new Promise<void>((resolve) => unused.listen(0, '127.0.0.1', resolve));
  expect(
    await text(httpClient({ ...env, HTTP_PROXY: env.HTTPS_PROXY }), new URL(`http://127.0.0.1:${(unused.address() as AddressInfo).port}/`)),
  ).toBe('here');
  for (const each of [proxy, unused]) {
    each.closeAllConnections();
    each.close();
  }
});

test('an abort before or during an answer ends with its reason', async () => {
  const slow = createPlainServer((_request, response) => void response.writeHead(200).write('begin'));
  await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
  const target = new URL(`http://127.0.0.1:${(slow.address() as AddressInfo).port}/`);
  const abort = new AbortController();
  const response = await httpClient({})(target, { signal: abort.signal });
  const reading = (async () => {
    for await (const _ of response.body) abort.abort(new Error('enough'));
  })();
  await expect(reading).rejects.toThrow('enough');
  await expect(httpClient({})(target, { signal: abort.signal })).rejects.toThrow('enough');
  slow.closeAllConnections();
  slow.close();
});

test.each(['localhost', '127.0.0.1', '127.255.0.9', '[::1]'])('%s is this machine', (name) => expect(isLoopback(name)).toBe(true));
test.each(['localhost.example', '127.example', '128.0.0.1', '127.0.0.1.example', '[::2]'])('%s is another machine', (name) =>
  expect(isLoopback(name)).toBe(false),
);
