import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeRig, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let rig: Rig;
let registry: RealRegistry;

const at = (name: string): string => join(rig.base, name);
const skopeo = (...args: string[]): void => void execFileSync('skopeo', ['copy', '-q', ...args], { stdio: 'pipe' });

beforeAll(async () => {
  rig = await makeRig();
  registry = await startRealRegistry();
  writeBusyboxLayout(at('source'));
  skopeo(`oci:${at('source')}:image`, `docker-archive:${at('docker.tar')}:shop:1`);
  skopeo(`oci:${at('source')}:image`, `oci-archive:${at('oci.tar')}:image`);
  skopeo(`oci:${at('source')}:image`, `oci:${at('layout')}:image`);
  skopeo('--dest-tls-verify=false', '--format', 'oci', `oci:${at('source')}:image`, `docker://${registry.host}/team/shop:1`);
  writeFileSync(at('docker.tar.gz'), gzipSync(readFileSync(at('docker.tar'))));
}, 120_000);
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const steps = [{ name: 'one', run: 'cat /etc/greeting > /one' }];

test('the image of a registry, of archives and of a layout is one base: what one built the others have', async () => {
  const forms: Record<string, unknown> = {
    registry: `${registry.host}/team/shop:1`,
    docker: { archive: at('docker.tar') },
    oci: { archive: '../../oci.tar' },
    layout: { layout: '../../layout' },
    compressed: { archive: '../../docker.tar.gz#shop:1' },
  };
  const built: Record<string, unknown> = {};
  for (const [name, image] of Object.entries(forms)) {
    const cwd = rig.project({ 'devenv.json': { name: 'same', image, steps } }, name);
    built[name] = (await rig.ok(['up', '--json'], { cwd })).json['built'];
    const told = await rig.ok(['exec', 'sh', '-c', 'cat /one; echo $FROM'], { cwd });
    expect([name, told.stdout]).toEqual([name, 'hello\nimage\n']);
    expect((await rig.ok(['up', '--json'], { cwd })).json).toMatchObject({ action: 'unchanged' });
  }
  expect(built).toEqual({ registry: 1, docker: 0, oci: 0, layout: 0, compressed: 0 });
  expect(globSync(join(rig.base, 'cache/archives/*'))).toEqual([]);
});

test.each(['docker.tar', 'oci.tar', 'docker.tar.gz', 'layout'])('%s is enough: nothing else has to have been there', async (name) => {
  await using own = await makeRig();
  const image = name === 'layout' ? { layout: at(name) } : { archive: at(name) };
  const cwd = own.project({ 'devenv.json': { image, steps } });
  expect((await own.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 1 });
  expect((await own.ok(['exec', 'cat', '/one'], { cwd })).stdout).toBe('hello\n');
});

test('an archive that was written again is another base, without being asked to look', async () => {
  execFileSync('cp', [at('docker.tar'), at('moving.tar')]);
  const cwd = rig.project({ 'devenv.json': { image: { archive: '../../moving.tar' }, steps } });
  await rig.ok(['up'], { cwd });
  writeBusyboxLayout(at('newer'), 'good evening');
  rmSync(at('moving.tar'));
  skopeo(`oci:${at('newer')}:image`, `docker-archive:${at('moving.tar')}:shop:1`);
  const status = await rig.devenv(['status'], { cwd });
  expect([status.exitCode, status.stdout]).toEqual([3, expect.stringMatching(/moving\.tar/)]);
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'cat', '/one'], { cwd })).stdout).toBe('good evening\n');
});

test.each([
  ['an archive that is missing', { archive: 'none.tar' }, 'IMAGE_NOT_FOUND', /There is no archive/],
  ['an image that the archive lacks', { archive: '../../docker.tar#2' }, 'IMAGE_NOT_FOUND', /it holds .*shop:1/],
  ['a layout that is none', { layout: '..' }, 'IMAGE_NOT_FOUND', /no OCI image layout/],
  ['what is no archive', { archive: 'devenv.json' }, 'BAD_ARCHIVE', /cannot be used/],
])('%s: a clear error, and nothing is made', async (_what, image, code, message) => {
  const result = await rig.devenv(['up', '--json'], { cwd: rig.project({ 'devenv.json': { image } }) });
  expect(result.json).toMatchObject({
    outcome: 'error',
    code,
    message: expect.stringMatching(message) as string,
    hint: expect.any(String) as string,
  });
});
