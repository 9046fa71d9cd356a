import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeEmptyRig, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let rig: Rig;
let registry: RealRegistry;

const at = (name: string): string => join(rig.base, name);
const busy = (): string => `${registry.host}/team/busy:1`;
const inspected = (image: string): { Digest: string; Layers: string[] } =>
  JSON.parse(registry.skopeo('inspect', '--tls-verify=false', image)) as { Digest: string; Layers: string[] };
const configOf = (image: string): unknown => JSON.parse(registry.skopeo('inspect', '--config', '--tls-verify=false', image));
const namesOf = async (): Promise<unknown[]> =>
  ((await rig.ok(['images', '--json'])).json['images'] as { name: string }[]).map(({ name }) => name).toSorted();

beforeAll(async () => {
  rig = await makeEmptyRig();
  registry = await startRealRegistry();
  writeBusyboxLayout(at('source'));
  registry.skopeo('copy', '-q', '--dest-tls-verify=false', `oci:${at('source')}:image`, `docker://${busy()}`);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test('an image is pulled, listed, given another name, and its names are taken away one by one', async () => {
  const pulled = await rig.ok(['pull', busy(), '--json']);
  const manifest = inspected(`docker://${busy()}`).Digest;
  expect(pulled.json).toMatchObject({ name: busy(), digest: manifest, layers: 1, reused: 0 });
  const again = await rig.ok(['pull', busy()]);
  expect(again.stderr).toMatch(/1 layer, 1 already there, 0 B fetched/);

  await rig.ok(['tag', busy(), 'shop']);
  const { stdout } = await rig.ok(['images']);
  expect(stdout).toMatch(/^NAME +ID +CREATED +SIZE +SHARED\n/);
  expect(await namesOf()).toEqual([busy(), 'shop:latest']);
  expect((await rig.ok(['images', 'sho*', '-q'])).stdout).toBe(`${String(pulled.json['id']).slice(7, 19)}\n`);

  const byId = await rig.devenv(['rmi', String(pulled.json['id']).slice(7, 17), '--json']);
  expect(byId.json).toMatchObject({ code: 'IMAGE_IN_USE', message: expect.stringContaining('several names') as string });
  await rig.ok(['rmi', `${busy().replace(/:1$/, '')}@${manifest}`]);
  expect(await namesOf()).toEqual(['shop:latest']);
  await rig.ok(['rmi', 'docker.io/library/shop:latest']);
  expect((await rig.ok(['images'])).stderr).toMatch(/no images/);
  expect((await rig.devenv(['rmi', 'shop', '--json'])).json).toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});

test('what is saved, skopeo reads with the config and layers of its source, and load takes it in whatever it is compressed with', async () => {
  await rig.ok(['pull', busy()]);
  await rig.ok(['tag', busy(), 'shop:1']);
  const source = configOf(`oci:${at('source')}`);
  await rig.ok(['save', '-o', at('docker.tar'), 'shop:1']);
  await rig.ok(['save', '--format', 'oci-archive', '-o', at('oci.tar'), 'shop:1']);
  await rig.ok(['save', '--format', 'oci-layout', '-o', at('layout'), 'shop:1']);
  const piped = execFileSync('sh', ['-c', 'exec "$0" save shop:1', join(import.meta.dirname, '../packages/cli/bin/devenv')], {
    env: { PATH: process.env['PATH'], DEVENV_BASE_DIR: rig.base },
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(piped.equals(readFileSync(at('docker.tar')))).toBe(true);
  for (const form of [`docker-archive:${at('docker.tar')}:shop:1`, `oci-archive:${at('oci.tar')}:1`, `oci:${at('layout')}:1`])
    expect(configOf(form)).toEqual(source);

  writeFileSync(at('docker.tar.gz'), gzipSync(piped));
  writeFileSync(at('oci.tar.zst'), zstdCompressSync(readFileSync(at('oci.tar'))));
  for (const input of ['docker.tar', 'docker.tar.gz', 'oci.tar', 'oci.tar.zst', 'layout']) {
    await using other = await makeEmptyRig();
    const { images } = (await other.ok(['load', '--json', '-i', at(input)])).json as { images: { names: string[]; id: string }[] };
    expect([input, images]).toEqual([input, [expect.objectContaining({ names: ['shop:1'], layers: 1, reused: 0 })]]);
    await other.ok(['save', '-o', join(other.base, 'again.tar'), 'shop:1']);
    expect(readFileSync(join(other.base, 'again.tar')).equals(piped)).toBe(true);
  }
  expect((await rig.ok(['load', '--json'], { input: piped })).json['images']).toMatchObject([{ names: ['shop:1'], reused: 1 }]);
});

test('an image without a name that has one here is known by that; an archive or layout of no image is an error', async () => {
  await using own = await makeEmptyRig();
  await own.ok(['load', at('source')]);
  const [named] = (await own.ok(['images', '--json'])).json['images'] as { name: string; id: string }[];
  await own.ok(['save', '-o', join(own.base, 'nameless.tar'), named!.id]);
  expect((await own.ok(['load', '--json', join(own.base, 'nameless.tar')])).json['images']).toMatchObject([{ names: [], reused: 1 }]);
  expect((await own.ok(['images', '--json'])).json['images']).toMatchObject([{ name: named!.name }]);
  await own.ok(['rmi', named!.id]);
  await own.ok(['load', join(own.base, 'nameless.tar')]);
  expect((await own.ok(['images', '--json'])).json['images']).toMatchObject([{ id: named!.id }]);

  const empty = own.project({
    'oci-layout': { imageLayoutVersion: '1.0.0' },
    'index.json': { schemaVersion: 2, manifests: [] },
  });
  const told = await own.devenv(['load', empty, '--json']);
  expect([told.exitCode, told.json['code']]).toEqual([1, 'IMAGE_NOT_FOUND']);
});

test('several images go into one archive, a layer that they share once', async () => {
  await rig.ok(['pull', busy()]);
  for (const name of ['one:1', 'two:2']) await rig.ok(['tag', busy(), name]);
  await rig.ok(['save', '-o', at('two.tar'), 'one:1', 'two:2']);
  expect(
    execFileSync('tar', ['-tf', at('two.tar')], { encoding: 'utf8' })
      .split('\n')
      .filter((name) => name.endsWith('.tar')),
  ).toHaveLength(1);
  await using other = await makeEmptyRig();
  expect((await other.ok(['load', at('two.tar'), '--json'])).json['images']).toMatchObject([{ names: ['one:1', 'two:2'] }]);
});

test('an image that was made here is a base by its name; one that was pulled means what its registry says, and serves without it', async () => {
  await using own = await makeEmptyRig();
  await own.ok(['load', '-i', at('source')]);
  await own.ok(['tag', 'image', 'localhost/base:1']);
  const project = (image: string): string => own.project({ 'devenv.json': { image, steps: [{ run: 'cat /etc/greeting > /one' }] } });
  expect((await own.ok(['build', '--json'], { cwd: project('localhost/base:1') })).json).toMatchObject({ built: 1 });
  expect((await own.ok(['build', '--json'], { cwd: project('image') })).json).toMatchObject({ built: 0, cached: 1 });
  const missing = await own.devenv(['build', '--json'], { cwd: project('localhost/none:1') });
  expect(missing.json).toMatchObject({ code: 'IMAGE_NOT_FOUND' });

  const leaving = await startRealRegistry();
  try {
    registry.skopeo('copy', '-q', '--dest-tls-verify=false', `oci:${at('source')}:image`, `docker://${leaving.host}/a/b:1`);
    await own.ok(['pull', `${leaving.host}/a/b:1`]);
    await own.ok(['build'], { cwd: project(`${leaving.host}/a/b:1`) });
  } finally {
    await leaving[Symbol.asyncDispose]();
  }
  const without = await own.ok(['build', '--json'], { cwd: project(`${leaving.host}/a/b:1`) });
  expect([without.json['cached'], without.stderr]).toEqual([
    1,
    expect.stringMatching(/what was pulled before: the registry does not answer/),
  ]);
});
