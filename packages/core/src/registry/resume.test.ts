import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../base/canonical-json.ts';
import { tryLockNow } from '../base/locks.ts';
import { parseReference } from '../oci/reference.ts';
import { fakeImage, startFakeServer, type Answer, type FakeServer } from './fake-server.suite.ts';
import { startRealRegistry } from './real-registry.suite.ts';
import { contentOf, tarOfOneFile } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
/** Nine times as large as the others: a layer that is worth keeping. */
const image = fakeImage('image', 90_000);
const whole = image.layer.length;
const half = Math.floor(whole / 2);

let downloads: string;
beforeEach(() => void (downloads = mkdtempSync(join(tmpdir(), 'devenv-downloads-'))));
afterEach(() => rmSync(downloads, { recursive: true }));

const open = (server: FakeServer) => remoteRegistry({ env: {}, pause: 1, downloads }).get(parseReference(`${server.host}/image`), amd64);
const kept = () => readdirSync(downloads).map((name) => statSync(join(downloads, name)).size);
const ranges = (server: FakeServer) => server.requests.filter(({ path }) => path === image.layerPath).map(({ headers }) => headers.range);

/** Serves ranges; `stallAt`: the first answer stays open there. */
function withRanges(stallAt = Infinity): Answer {
  let first = true;
  return (request, response) => {
    if (request.url !== image.layerPath) return false;
    const start = Number(/^bytes=([0-9]+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(start > 0 ? 206 : 200, {
      'content-length': whole - start,
      ...(start > 0 ? { 'content-range': `bytes ${start}-${whole - 1}/${whole}` } : {}),
    });
    if (first && stallAt < whole) response.write(image.layer.subarray(start, stallAt));
    else response.end(image.layer.subarray(start));
    first = false;
    return true;
  };
}

test('a pull that was killed goes on where it was, and what was kept goes when the layer is elsewhere', async () => {
  await using server = await startFakeServer(image.documents, withRanges(half));
  await killedPull(server, half - 1024 * 1024);
  const [before] = kept();
  expect(before).toBeGreaterThan(0);
  const [layer] = (await open(server)).layers;
  expect(await contentOf(layer!)).toBe(image.tar.toString('latin1'));
  expect(ranges(server)).toEqual([undefined, `bytes=${before}-`]);
  expect(kept()).toEqual([whole]);
  layer!.release!();
  expect(kept()).toEqual([]);
});

test('a pull that was killed after the last byte fetches nothing again', async () => {
  await using server = await startFakeServer(image.documents, withRanges());
  await contentOf((await open(server)).layers[0]!);
  expect(await contentOf((await open(server)).layers[0]!)).toBe(image.tar.toString('latin1'));
  expect(ranges(server)).toEqual([undefined]);
});

test('what was kept and is not what it should be is found, and fetched anew the next time', async () => {
  await using server = await startFakeServer(image.documents, withRanges());
  await contentOf((await open(server)).layers[0]!);
  const [name] = readdirSync(downloads);
  writeFileSync(join(downloads, name!), Buffer.alloc(half));
  await expect(contentOf((await open(server)).layers[0]!)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  expect(kept()).toEqual([]);
  expect(await contentOf((await open(server)).layers[0]!)).toBe(image.tar.toString('latin1'));
});

test('what is longer than the layer is not used', async () => {
  await using server = await startFakeServer(image.documents, withRanges());
  await contentOf((await open(server)).layers[0]!);
  truncateSync(join(downloads, readdirSync(downloads)[0]!), whole + 5);
  expect(await contentOf((await open(server)).layers[0]!)).toBe(image.tar.toString('latin1'));
});

test('what another process is writing is left alone', async () => {
  await using server = await startFakeServer(image.documents, withRanges());
  await contentOf((await open(server)).layers[0]!);
  const path = join(downloads, readdirSync(downloads)[0]!);
  truncateSync(path, half);
  using _other = tryLockNow(path)!;
  expect(await contentOf((await open(server)).layers[0]!)).toBe(image.tar.toString('latin1'));
  expect(kept()).toEqual([half]);
});

test('what nobody came back for in a week goes', async () => {
  const old = join(downloads, `sha256-${'0'.repeat(64)}.partial`);
  writeFileSync(old, 'x');
  utimesSync(old, 0, 0);
  await using server = await startFakeServer(image.documents, withRanges());
  await contentOf((await open(server)).layers[0]!);
  expect(existsSync(old)).toBe(false);
});

test('while one layer is read the next ones travel, and each is fetched once', async () => {
  const tars = Array.from({ length: 4 }, (_, index) => tarOfOneFile(`file${index}`, randomBytes(1_500_000).toString('hex')));
  await using real = await startRealRegistry();
  real.put('many', '1', [{ platform: amd64, layers: tars }]);
  let arrived = 0;
  const { layers } = await remoteRegistry({ env: {}, downloads }).get(parseReference(`${real.host}/many:1`), amd64);
  const read = (index: number) => layers[index]!.open({ ahead: true, onBytes: (count) => (arrived += count) });
  const first = await read(0);
  const wanted = layers[1]!.size! + layers[2]!.size!;
  while (kept().reduce((sum, size) => sum + size, 0) < wanted) await delay(10);
  expect(arrived).toBeGreaterThanOrEqual(wanted);
  const contents = [await textOf(first)];
  for (const index of [1, 2, 3]) contents.push(await textOf(await read(index)));
  expect(contents).toEqual(tars.map((tar) => tar.toString('latin1')));
  expect(arrived).toBe(layers.reduce((sum, { size }) => sum + size!, 0));
});

test('what was fetched ahead and cannot be had fails who comes for it, and nobody before', async () => {
  const two = fakeImage('image', 90_000);
  const manifest = JSON.parse(String(two.documents[two.manifestPath]!.bytes)) as {
    layers: object[];
    config: { digest: string; size: number };
  };
  const config = JSON.parse(String(two.documents[two.configPath]!.bytes)) as { rootfs: { diff_ids: string[] } };
  const other = { ...manifest.layers[0], digest: `sha256:${'1'.repeat(64)}` };
  config.rootfs.diff_ids.push(`sha256:${'2'.repeat(64)}`);
  const bytes = JSON.stringify(config);
  manifest.config = { ...manifest.config, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
  manifest.layers.push(other);
  await using server = await startFakeServer({
    ...two.documents,
    [two.manifestPath]: { type: two.documents[two.manifestPath]!.type, bytes: JSON.stringify(manifest) },
    [`/v2/image/blobs/sha256:${sha256(bytes)}`]: { type: '', bytes },
  });
  const { layers } = await open(server);
  expect(await textOf(await layers[0]!.open({ ahead: true }))).toBe(two.tar.toString('latin1'));
  await expect(layers[1]!.open({ ahead: true }).then(textOf)).rejects.toMatchObject({ code: 'REGISTRY_ANSWER' });
});

async function textOf(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

/** Begins a pull in another process and kills it once so many bytes are kept. */
async function killedPull(server: FakeServer, bytes: number): Promise<void> {
  const script = `
    const { remoteRegistry } = await import(${JSON.stringify(new URL('remote.ts', import.meta.url).href)});
    const { parseReference } = await import(${JSON.stringify(new URL('../oci/reference.ts', import.meta.url).href)});
    const registry = remoteRegistry({ env: {}, downloads: ${JSON.stringify(downloads)} });
    const image = await registry.get(parseReference(${JSON.stringify(`${server.host}/image`)}), ${JSON.stringify(amd64)});
    for await (const chunk of await image.layers[0].open());
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  while ((kept()[0] ?? 0) < bytes && child.exitCode === null) await delay(10);
  child.kill('SIGKILL');
  expect((await ended)[1]).toBe('SIGKILL');
}
