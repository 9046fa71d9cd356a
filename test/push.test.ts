import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeEmptyRig, type Result, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let rig: Rig;
let registry: RealRegistry;

const htpasswd = 'user:$2b$05$p.8uOQjzSEPwECDLWCR.GujR4NzBPaZWja6zMsb/iVaQf2MGhfxSu\n'; // secret
const shop = (): string => `${registry.host}/team/shop:1`;
const env = (): Record<string, string> => ({ SSL_CERT_FILE: registry.ca });
const project = (step: string): Record<string, unknown> => ({
  'devenv.json': {
    image: { layout: '../../source' },
    steps: [{ env: { GREETING: 'good morning' } }, { name: 'first', run: 'echo one > /one' }, { name: 'second', run: step }],
    command: ['sh', '-c', 'cat /one /two; echo $GREETING'],
  },
});

beforeAll(async () => {
  rig = await makeEmptyRig();
  registry = await startRealRegistry({ tls: true, htpasswd });
  writeBusyboxLayout(join(rig.base, 'source'));
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

test('who is not logged in is refused; the password comes from stdin and is kept where only its owner reads', async () => {
  const cwd = rig.project(project('echo two > /two'), 'shop');
  const refused = await rig.devenv(['build', '--tag', shop(), '--push', '--json'], { cwd, env: env() });
  expect(refused.json).toMatchObject({ code: 'REGISTRY_DENIED' });
  const wrong = await rig.devenv(['login', '-u', 'user', '--password-stdin', registry.host, '--json'], { env: env(), input: 'wrong\n' });
  expect([wrong.json['code'], `${wrong.stdout}${wrong.stderr}`]).toEqual([
    'REGISTRY_DENIED',
    expect.not.stringContaining('wrong\n') as string,
  ]);
  const told = await rig.ok(['login', '-u', 'user', '--password-stdin', registry.host], { env: env(), input: 'secret\n' });
  expect(told.stderr).toMatch(/^Logged in to 127\.0\.0\.1:\d+ as user; kept in .*config\.json/);
  expect(statSync(join(rig.base, 'home/.docker/config.json')).mode & 0o777).toBe(0o600);
});

test('a build is pushed under its name; after a change of one step one layer is sent, and one fetched elsewhere', async () => {
  const cwd = join(rig.base, 'projects/shop');
  const first = await rig.ok(['build', '--tag', shop(), '--push', '--json'], { cwd, env: env() });
  expect(first.json).toMatchObject({ name: shop(), pushed: { layers: 3, reused: 0 } });
  // The same file is the same image, whoever builds it and when.
  await using other = await makeEmptyRig();
  const login = (who: Rig): Promise<Result> =>
    who.ok(['login', '-u', 'user', '--password-stdin', registry.host], { env: env(), input: 'secret' });
  execFileSync('cp', ['-r', join(rig.base, 'source'), other.base]);
  const again = await other.ok(['build', '--tag', 'mine', '--json'], { cwd: other.project(project('echo two > /two'), 'elsewhere') });
  expect(again.json['id']).toBe(first.json['id']);

  await using puller = await makeEmptyRig();
  await login(puller);
  expect((await puller.ok(['pull', shop(), '--json'], { env: env() })).json).toMatchObject({ layers: 3, reused: 0, id: first.json['id'] });
  expect((await puller.ok(['run', shop()], { cwd: puller.base })).stdout).toBe('one\ntwo\ngood morning\n');

  writeFileSync(join(cwd, 'devenv.json'), readFileSync(join(cwd, 'devenv.json'), 'utf8').replace('echo two', 'echo three'));
  const second = await rig.ok(['build', '--tag', shop(), '--push'], { cwd, env: env() });
  expect(second.stderr).toMatch(/3 layers, 2 already there, \d+ B sent/);
  const fetched = await puller.ok(['pull', shop()], { env: env() });
  expect(fetched.stderr).toMatch(/3 layers, 2 already there, \d+ B fetched/);
  expect((await puller.ok(['run', shop()], { cwd: puller.base })).stdout).toBe('one\nthree\ngood morning\n');

  const history = await rig.ok(['history', shop()]);
  expect(history.stdout).toMatch(/second[^]*first/);
  const { found } = (await rig.ok(['inspect', shop(), '--json'])).json as { found: { document: { config: { Env: string[] } } }[] };
  expect(found[0]!.document.config.Env).toContain('FROM=image');
});

test('what was pulled is pushed on with the digest that it came with, and nothing is sent that the registry has', async () => {
  await rig.ok(['tag', shop(), `${registry.host}/other/name:2`]);
  const pushed = await rig.ok(['push', `${registry.host}/other/name:2`, '--json'], { env: env() });
  expect(pushed.json).toMatchObject({ layers: 3, reused: 3, bytes: 0 });
  await using puller = await makeEmptyRig();
  await puller.ok(['login', '-u', 'user', '--password-stdin', registry.host], { env: env(), input: 'secret' });
  const pulled = await puller.ok(['pull', `${registry.host}/other/name:2`, '--json'], { env: env() });
  const onwards = await puller.ok(['push', `${registry.host}/other/name:2`, `${registry.host}/third/name:3`, '--json'], { env: env() });
  expect([onwards.json['digest'], onwards.json['bytes']]).toEqual([pulled.json['digest'], 0]);
});

test('a registry is searched, its tags are listed, and logout forgets', async () => {
  const { repositories } = (await rig.ok(['search', `${registry.host}/team`, '--json'], { env: env() })).json as {
    repositories: { name: string }[];
  };
  expect(repositories.map(({ name }) => name)).toEqual([`${registry.host}/team/shop`]);
  expect((await rig.ok(['search', '--tags', `${registry.host}/team/shop`], { env: env() })).stdout).toBe('1\n');
  await rig.ok(['logout', registry.host]);
  expect(readFileSync(join(rig.base, 'home/.docker/config.json'), 'utf8')).not.toContain(registry.host);
});

test('a root file system becomes an image: of a directory, of a tar on stdin, with changes as a Dockerfile has them', async () => {
  const root = join(rig.base, 'rootfs');
  mkdirSync(join(root, 'bin'), { recursive: true });
  for (const name of ['busybox', 'sh']) execFileSync('cp', ['/bin/busybox', join(root, 'bin', name)]);
  const changes = ['--change', 'ENV A=1', '-c', 'CMD ["sh", "-c", "echo $A"]'];
  await rig.ok(['import', ...changes, root, 'imported:1']);
  expect((await rig.ok(['run', 'imported:1'], { cwd: rig.base })).stdout).toBe('1\n');
  const tar = execFileSync('tar', ['-C', root, '-czf', '-', '.'], { maxBuffer: 2 ** 28 });
  await rig.ok(['import', '-', 'imported:2', '--message', 'by hand'], { input: tar });
  expect((await rig.ok(['run', '--image', 'imported:2', 'sh', '-c', 'echo it runs'], { cwd: rig.base })).stdout).toBe('it runs\n');
  expect((await rig.ok(['history', 'imported:2'])).stdout).toMatch(/devenv import stdin # by hand/);
  const bad = await rig.devenv(['import', '-c', 'RUN make', root, 'x', '--json']);
  expect(bad.json).toMatchObject({ code: 'BAD_VALUE' });
});
