import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { PackageStore } from './package-store.ts';

const bytes = 'a package';
const sha256 = createHash('sha256').update(bytes).digest('hex');
const { signal } = new AbortController();

let asked: string[] = [];
const server = createServer((request, response) => {
  asked.push(request.url!);
  if (request.url === '/debian/pool/x.deb') return response.end(bytes);
  if (request.url === '/debian/pool/other.deb') return response.end('other bytes');
  if (request.url!.startsWith('/snapshots/')) return response.writeHead(302, { location: '/file/x' }).end();
  if (request.url === '/file/x') return response.end(bytes);
  if (request.url === '/loop') return response.writeHead(302, { location: '/loop' }).end();
  return response.writeHead(404).end();
});
let origin: string;
let folder: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
  folder = mkdtempSync(join(tmpdir(), 'devenv-packages-'));
  asked = [];
});

function store(options: { readonly snapshots?: string; readonly offline?: boolean } = {}): PackageStore {
  return new PackageStore({ folder, env: {}, snapshots: options.snapshots, offline: options.offline ?? false });
}

function wanted(path: string): Parameters<PackageStore['fetch']>[0] {
  return { name: 'x:all', version: '1', url: `${origin}${path}`, sha256 };
}

test('a package is fetched once, and checked each time it is used', async () => {
  const first = await store().fetch(wanted('/debian/pool/x.deb'), undefined, signal);
  expect(readFileSync(first.path, 'utf8')).toBe(bytes);
  await store({ offline: true }).fetch(wanted('/debian/pool/x.deb'), undefined, signal);
  expect(asked).toHaveLength(1);
  writeFileSync(first.path, 'damaged');
  await store().fetch(wanted('/debian/pool/x.deb'), undefined, signal);
  expect(asked).toHaveLength(2);
  expect(readFileSync(first.path, 'utf8')).toBe(bytes);
});

test('a package with another hash is refused, named with both, and not kept', async () => {
  const fetching = store().fetch(wanted('/debian/pool/other.deb'), undefined, signal);
  await expect(fetching).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', message: expect.stringContaining(sha256) as string });
  expect(readdirSync(folder)).toEqual([]);
});

test('what the archive has no more comes from the snapshots of the settings, of the day after', async () => {
  const snapshots = `${origin}/snapshots/{archive}/{timestamp}/{path}`;
  const found = await store({ snapshots }).fetch(wanted('/debian/pool/gone.deb'), '20260131T230000Z', signal);
  expect(found.sha256).toBe(sha256);
  expect(asked).toEqual(['/debian/pool/gone.deb', '/snapshots/debian/20260201T230000Z/pool/gone.deb', '/file/x']);
});

test('a package that can be had nowhere is named with every place that was tried', async () => {
  const fetching = store().fetch(wanted('/debian/pool/gone.deb'), '20260131T230000Z', signal);
  await expect(fetching).rejects.toMatchObject({
    code: 'PACKAGE_UNAVAILABLE',
    message: expect.stringMatching(/x:all 1[^]*gone\.deb answers with 404/) as string,
  });
  expect(asked).toEqual(['/debian/pool/gone.deb']); // no other machine hears of a package that is not Debian's
});

test('an archive that sends in a circle is left', async () => {
  await expect(store().fetch(wanted('/loop'), undefined, signal)).rejects.toMatchObject({ code: 'PACKAGE_UNAVAILABLE' });
});

test('offline nobody is asked, and what is missing is named', async () => {
  const offline = store({ offline: true });
  const { version, url } = wanted('/debian/pool/x.deb');
  expect(offline.missing({ packages: { 'x:all': { version, url, sha256 } } })).toEqual(['x:all 1']);
  await expect(offline.fetch(wanted('/debian/pool/x.deb'), undefined, signal)).rejects.toMatchObject({ code: 'OFFLINE' });
  expect(asked).toEqual([]);
  expect(existsSync(join(folder, `${sha256}.deb`))).toBe(false);
});

test('an archive that is not there at all is named, with the reason', async () => {
  const nowhere = { ...wanted('/debian/pool/x.deb'), url: 'http://127.0.0.1:1/debian/pool/x.deb' };
  await expect(store().fetch(nowhere, '20260131T230000Z', signal)).rejects.toMatchObject({
    code: 'PACKAGE_UNAVAILABLE',
    message: expect.stringMatching(/x:all 1[^]*127\.0\.0\.1:1[^]*ECONNREFUSED/) as string,
  });
});
