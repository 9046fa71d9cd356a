import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { makeRig, runProcess, type Rig } from './rig.ts';
import { npmFolder, seedFolder, workspaceNode } from './seed.ts';

let rig: Rig;
let registry: RealRegistry;

beforeAll(async () => {
  rig = await makeRig();
  registry = await startRealRegistry();
  // An image as a team keeps one: Debian, with Node and npm on it, put into the registry by skopeo.
  const [layer] = globSync(join(seedFolder(), 'data/layers/*'));
  const node = mkdtempSync(join(tmpdir(), 'devenv-node-image-'));
  chmodSync(node, 0o755); // it becomes the root directory
  mkdirSync(join(node, 'usr/local/bin'), { recursive: true });
  mkdirSync(join(node, 'usr/local/lib/node_modules'), { recursive: true });
  execFileSync('cp', [workspaceNode(), join(node, 'usr/local/bin/node')]);
  execFileSync('cp', ['-r', npmFolder(), join(node, 'usr/local/lib/node_modules/npm')]);
  execFileSync('ln', ['-s', '../lib/node_modules/npm/bin/npm-cli.js', join(node, 'usr/local/bin/npm')]);
  writeFileSync(join(node, 'made-by-skopeo'), 'yes\n');
  const tarOf = (folder: string): Buffer => {
    // A file of the seed gets further names meanwhile, in other tests: tar then ends with 1.
    const { status, stdout, stderr } = spawnSync('tar', ['-C', folder, '--xattrs', '-cf', '-', '.'], { maxBuffer: 2 ** 30 });
    if (status !== 0 && status !== 1) throw new Error(stderr.toString());
    return stdout;
  };
  registry.put('team/node', '24', [
    {
      platform: { os: 'linux', architecture: 'amd64' },
      config: {
        env: { NODE_VERSION: '24', GREETING: 'from production', PATH: '/usr/local/bin:/usr/bin:/bin' },
        user: 'root',
        workdir: '/srv',
      },
      layers: [execFileSync('tar', ['-cf', '-', '-T', '/dev/null']), tarOf(layer!), tarOf(node)],
    },
  ]);
  rmSync(node, { recursive: true });
}, 240_000);
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const image = (): string => `${registry.host}/team/node:24`;

const nodeProject = (): Record<string, unknown> => ({
  'devenv.json': {
    image: image(),
    steps: [
      { name: 'deps', run: 'npm ci', inputs: ['package.json', 'package-lock.json'], outputs: ['node_modules'], cache: ['/home/dev/.npm'] },
    ],
    user: 'dev',
  },
  'package.json': { name: 'app', version: '1.0.0', dependencies: { 'is-number': '7.0.0' }, scripts: { test: 'node --test' } },
  'package-lock.json': {
    name: 'app',
    version: '1.0.0',
    lockfileVersion: 3,
    packages: {
      '': { name: 'app', version: '1.0.0', dependencies: { 'is-number': '7.0.0' } },
      'node_modules/is-number': {
        version: '7.0.0',
        integrity: 'sha512-41Cifkg6e8TylSpdtTpeLVMqvSBEVzTttHvERD741+pnZ8ANv0004MRL43QKPDlK9cGvNp6NZWZUBlbGXYxxng==',
      },
    },
  },
  'app.test.js': "require('node:test')('numbers', () => { if (!require('is-number')(7)) throw new Error(); });",
});

test('a Node project on an image from a registry: npm ci is cached, its node_modules appear in the workspace, the host stays clean', async () => {
  const cwd = rig.project(nodeProject());
  expect((await rig.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 1 });
  const told = await rig.ok(['exec', '--', 'sh', '-c', 'echo $NODE_VERSION; cat /made-by-skopeo; node --version; id -un'], { cwd });
  expect(told.stdout).toMatch(/^24\nyes\nv24\.\S+\ndev\n$/);
  expect((await rig.ok(['exec', 'npm', 'test'], { cwd })).stdout).toMatch(/pass 1/);
  expect(existsSync(join(cwd, 'node_modules')) ? readdirSync(join(cwd, 'node_modules')) : []).toEqual([]);

  // What is changed by hand inside changes this environment only, and goes with it.
  await rig.ok(['exec', 'sh', '-c', 'echo broken > node_modules/is-number/index.js && touch node_modules/extra'], { cwd });
  expect((await rig.devenv(['exec', 'npm', 'test'], { cwd })).exitCode).toBe(1);
  const clone = rig.project(nodeProject());
  expect((await rig.ok(['up', '--json'], { cwd: clone })).json).toMatchObject({ built: 0, cached: 1 });
  await rig.ok(['exec', 'npm', 'test'], { cwd: clone });
  await rig.ok(['down'], { cwd });
  expect(existsSync(join(cwd, 'node_modules')) ? readdirSync(join(cwd, 'node_modules')) : []).toEqual([]);
  expect((await rig.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 0, cached: 1 });
  expect((await rig.ok(['exec', 'npm', 'test'], { cwd })).stdout).toMatch(/pass 1/);
  expect((await rig.ok(['exec', 'ls', 'node_modules'], { cwd })).stdout).toBe('is-number\n');
});

test('init --from an image pins it by digest, takes what it says, and the file comes up', async () => {
  const cwd = rig.project({ 'notes.txt': 'a folder without devenv.json' });
  const init = await rig.ok(['init', '--from', image()], { cwd });
  const text = readFileSync(join(cwd, 'devenv.json'), 'utf8');
  expect(text).toMatch(/team\/node:24@sha256:[0-9a-f]{64}/);
  expect(text).toContain('from production');
  expect(`${init.stdout}${init.stderr}`).toContain('devenv up');
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'sh', '-c', 'echo $NODE_VERSION $GREETING'], { cwd })).stdout).toBe('24 from production\n');
});

test('the same image under another tag, recompressed, is the same base: every step stays cached', async () => {
  registry.skopeo(
    'copy',
    '-q',
    '--src-tls-verify=false',
    '--dest-tls-verify=false',
    '--dest-compress-format',
    'gzip',
    `docker://${image()}`,
    `docker://${registry.host}/other/name:moved`,
  );
  const files = (reference: string): Record<string, unknown> => ({
    'devenv.json': { name: 'same', image: reference, steps: [{ run: 'echo 1 > /one' }] },
  });
  await rig.ok(['build'], { cwd: rig.project(files(image())) });
  const { json } = await rig.ok(['build', '--json'], { cwd: rig.project(files(`${registry.host}/other/name:moved`)) });
  expect(json).toMatchObject({ built: 0, cached: 1 });
});

test('a name is resolved once: with the registry gone, a warm up and a change of a step still work', async () => {
  const own = await startRealRegistry();
  let cwd: string;
  try {
    registry.skopeo('copy', '-q', '--src-tls-verify=false', '--dest-tls-verify=false', `docker://${image()}`, `docker://${own.host}/a/b:c`);
    cwd = rig.project({ 'devenv.json': { image: `${own.host}/a/b:c`, steps: [{ run: 'echo 1 > /one' }] } });
    await rig.ok(['up'], { cwd });
  } finally {
    await own[Symbol.asyncDispose]();
  }
  await rig.ok(['up'], { cwd });
  writeFileSync(join(cwd, 'devenv.json'), readFileSync(join(cwd, 'devenv.json'), 'utf8').replace('echo 1', 'echo 2'));
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'cat', '/one'], { cwd })).stdout).toBe('2\n');
  const refreshed = await rig.devenv(['up', '--refresh'], { cwd });
  expect([refreshed.exitCode, refreshed.stderr]).toEqual([1, expect.stringMatching(/127\.0\.0\.1:\d+[^]*Hint/)]);
});

test.each([
  ['a tag that is not there', () => `${registry.host}/team/node:none`, 'IMAGE_NOT_FOUND'],
  ['a digest that is not there', () => `${registry.host}/team/node@sha256:${'0'.repeat(64)}`, 'IMAGE_NOT_FOUND'],
  ['a registry that does not answer', () => '127.0.0.1:1/a/b:c', 'REGISTRY_UNREACHABLE'],
  ['a host that does not exist', () => 'registry.invalid/a/b:c', 'REGISTRY_UNREACHABLE'],
])('%s: a clear error, and nothing is made', async (_what, reference, code) => {
  const cwd = rig.project({ 'devenv.json': { image: reference() } });
  const result = await rig.devenv(['up', '--json'], { cwd });
  expect(result.exitCode).toBe(1);
  expect(result.json).toMatchObject({ outcome: 'error', code, message: expect.any(String) as string, hint: expect.any(String) as string });
  expect(result.stderr).not.toMatch(/^\s+at /m);
});

test('a layer that is not what its digest says is refused, and nothing of it stays', async () => {
  const bad = await startRealRegistry();
  try {
    bad.put('bad', 'image', [
      { platform: { os: 'linux', architecture: 'amd64' }, layers: [execFileSync('tar', ['-cf', '-', '-C', rig.base, 'data/FORMAT'])] },
    ]);
    const manifest = JSON.parse(
      (await runProcess('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${bad.host}/bad:image`])).stdout,
    ) as { layers: { digest: string }[] };
    const [blob] = globSync(
      join(tmpdir(), 'devenv-registry-*', 'data/docker/registry/v2/blobs/sha256/*', manifest.layers[0]!.digest.slice(7), 'data'),
    );
    const bytes = readFileSync(blob!);
    bytes[bytes.length - 9]! ^= 1;
    writeFileSync(blob!, bytes);
    const result = await rig.devenv(['up', '--json'], { cwd: rig.project({ 'devenv.json': { image: `${bad.host}/bad:image` } }) });
    expect([result.exitCode, result.json['code']]).toEqual([1, expect.stringMatching(/DIGEST_MISMATCH|BAD_ARCHIVE/)]);
    expect(globSync(join(rig.base, 'data/drafts/*'))).toEqual([]);
  } finally {
    await bad[Symbol.asyncDispose]();
  }
});
