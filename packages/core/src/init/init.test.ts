import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { hostPlatform } from '../oci/platform.ts';
import { memoryRegistry } from '../registry/memory.ts';
import { repositories, type Files } from './repositories.suite.ts';
import { init, type InitResult, type InitWishes } from './init.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-init-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the file suits', () => {
  test.each(Object.entries(repositories))('%s', async (_name, [files, expected]) => {
    put(files);
    const { config, result } = await written({ ci: 'gitlab' });
    expect(summary(config, result)).toMatchObject(expected);
  });
});

test('with a bare Debian as the base, languages come as its packages', async () => {
  put({ 'package.json': '{}', 'package-lock.json': '{}', 'go.mod': 'module x' });
  const { config, result } = await written({ debian: true });
  expect(summary(config, result)).toMatchObject({
    image: 'bookworm',
    steps: ['apt curl git golang nodejs npm', 'npm ci < package-lock.json package.json > node_modules'],
  });
});

test('an image that production runs is pinned, and its settings are taken over', async () => {
  const registry = memoryRegistry();
  const digest = registry.add('registry.example/shop/api:prod', {
    platform: hostPlatform(),
    layers: [],
    config: {
      env: { PATH: '/bin', NODE_VERSION: '24.1.0', NODE_ENV: 'production', GREETING: 'a ${b}' },
      user: 'node',
      workdir: '/srv/api',
      command: ['npm', 'start'],
      entrypoint: ['tini', '--'],
      exposedPorts: ['8080/tcp'],
    },
  });
  put({ 'package.json': '{}' });
  const { config, result } = await written({ from: 'registry.example/shop/api:prod' }, registry);
  expect(summary(config, result)).toMatchObject({
    image: `registry.example/shop/api:prod@${digest}`,
    user: 'node',
    workspace: '/srv/api',
    command: ['npm', 'start'],
    env: { GREETING: 'a $${b}' },
    ports: ['8080:8080'],
    steps: [],
  });
  expect(registry.requests.filter((request) => request.startsWith('blob'))).toHaveLength(1); // its configuration; no layer
});

test('an image that does not exist leaves nothing behind', async () => {
  await expect(written({ from: 'registry.example/none:1' }, memoryRegistry())).rejects.toMatchObject({ code: 'IMAGE_NOT_FOUND' });
  expect(() => readFileSync(join(folder, 'devenv.json'))).toThrow('ENOENT');
});

test('a devenv.json that is there stays, unless replacing it is asked for', async () => {
  put({ 'devenv.json': 'mine' });
  await expect(run({})).rejects.toMatchObject({ code: 'CONFIG_EXISTS' });
  expect((await run({ dryRun: true })).files).toMatchObject([{ state: 'not written' }]);
  expect(text('devenv.json')).toBe('mine');
  expect((await run({ force: true })).files).toMatchObject([{ state: 'written' }]);
  expect(text('devenv.json')).toContain('"image"');
});

test('a link in place of devenv.json is not followed', async () => {
  put({ 'elsewhere/file': 'mine' });
  symlinkSync('elsewhere/file', join(folder, 'devenv.json'));
  await expect(run({})).rejects.toMatchObject({ code: 'CONFIG_EXISTS' });
  rmSync(join(folder, 'elsewhere/file'));
  expect((await run({})).files).toMatchObject([{ state: 'kept' }]);
});

test.each([
  ['github', '.github/workflows/devenv.yml'],
  ['gitlab', '.gitlab-ci.yml'],
] as const)('the job of %s is added to a folder that has a devenv.json, and replaces none', async (ci, path) => {
  put({ 'devenv.json': '{ "image": "debian" }', 'package.json': '{ "scripts": { "test": "x" } }' });
  expect((await run({ ci })).files).toEqual([{ path: join(folder, path), state: 'written', text: text(path) }]);
  expect(text(path)).toContain('devenv run -- npm test');
  put({ [path]: 'mine' });
  expect((await run({ ci, force: true })).files.map(({ state }) => state)).toEqual(['written', 'kept']);
  expect(text(path)).toBe('mine');
});

test('the jobs are YAML of the shape that their systems read', async () => {
  put({ 'CMakeLists.txt': '', 'go.mod': 'module x\nrequire y v1\n' });
  const [, github] = (await run({ ci: 'github' })).files;
  const [gitlab] = (await run({ ci: 'gitlab' })).files;
  const { jobs } = parse(github!.text) as { jobs: { test: { steps: { name?: string; run?: string; with?: { key?: string } }[] } } };
  expect(jobs.test.steps.find(({ name }) => name === 'Test')?.run).toBe('sudo --preserve-env env "PATH=$PATH" devenv run -- go test ./...');
  expect(jobs.test.steps.map(({ with: inputs }) => inputs?.key).filter(Boolean)).toEqual([
    "devenv-${{ runner.arch }}-${{ hashFiles('devenv.json', 'go.mod') }}",
  ]);
  expect(parse(gitlab!.text)).toMatchObject({ devenv: { tags: ['privileged'], script: ['devenv run -- go test ./...'] } });
});

test('the file explains itself', async () => {
  put({
    'package.json': '{ "scripts": { "prepare": "husky" } }',
    'package-lock.json': '{}',
    '.nvmrc': '24',
    Dockerfile: 'FROM node:24-alpine AS build\nFROM nginx\nEXPOSE 80',
    'compose.yaml': 'services: { db: { image: "postgres:17" } }',
  });
  await run({});
  expect(text('devenv.json')).toMatchInlineSnapshot(`
    "// The environment of this folder: devenv up makes it, devenv shell enters it. Comments and trailing commas are welcome
    // here.
    {
      // Named by FROM in Dockerfile.
      "image": "node:24-alpine",

      // Each step is one cached layer, and runs again only when something it reads has changed.
      "steps": [
        // Runs again when one of its inputs changes. node_modules appears inside the workspace; the folder on this machine
        // stays clean. The script "prepare" of package.json runs here too: what it reads must be in "inputs".
        {
          "name": "deps",
          "run": "npm ci",
          "inputs": ["package.json", "package-lock.json"],
          "outputs": ["node_modules"],
          "cache": ["/home/dev/.npm"]
        },
      ],

      // Whom you are inside: created when the image has no such user. Owns the workspace as you do outside.
      "user": "dev",

      // Reached as localhost:PORT on this machine. 8080:80: EXPOSE in Dockerfile.
      "ports": ["8080:80"],

      // compose.yaml also runs db (postgres:17): not part of this environment.
      // Dockerfile runs on nginx in the end; its stage on node:24-alpine has the tools.
    }
    "
  `);
});

async function written(
  wishes: Partial<InitWishes>,
  registry = memoryRegistry(),
): Promise<{ readonly config: Config; readonly result: InitResult }> {
  const result = await run(wishes, registry);
  return { config: loadConfig({ cwd: folder, env: {} }), result };
}

async function run(wishes: Partial<InitWishes>, registry = memoryRegistry()): Promise<InitResult> {
  return init({ cwd: folder, ...wishes }, () => Promise.resolve(registry));
}

/** What matters of a configuration, short enough to be written by hand: `command < inputs > outputs as user`. */
function summary(config: Config, result: InitResult): object {
  const job = result.files.find(({ path }) => path.endsWith('.gitlab-ci.yml'))?.text ?? '';
  const test_ = /devenv run -- (.*)'$/m.exec(job)?.[1];
  return {
    image: config.base.kind === 'registry' ? config.base.reference : config.base.kind === 'debian' ? config.base.suite : undefined,
    steps: config.steps.map((step) => {
      if (step.kind !== 'run') return step.kind === 'apt' ? `apt ${step.packages.join(' ')}` : step.kind;
      const parts = [
        step.command[2],
        ...(step.inputs.length ? ['<', ...step.inputs] : []),
        ...(step.outputs.length ? ['>', ...step.outputs] : []),
      ];
      return [...parts, ...(step.user === undefined ? [] : [`as ${step.user}`])].join(' ');
    }),
    user: config.user,
    workspace: config.workspace,
    command: config.command,
    env: config.env,
    ports: config.ports.map(({ hostPort, containerPort, protocol }) => `${hostPort}:${containerPort}${protocol === 'udp' ? '/udp' : ''}`),
    create: config.hooks.create[0]?.command[2],
    test: test_?.startsWith('sh -c "echo replace') ? undefined : test_,
  };
}

function put(files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

function text(path: string): string {
  return readFileSync(join(folder, path), 'utf8');
}
