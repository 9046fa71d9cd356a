import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Config } from '../config/config.ts';
import { loadConfig } from '../config/load-config.ts';
import { hostPlatform } from '../oci/platform.ts';
import { memoryRegistry } from '../registry/memory.ts';
import { init, type InitResult, type InitWishes } from './init.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-init-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Files = Readonly<Record<string, string>>;
type Expected = Partial<Record<'image' | 'user' | 'workspace' | 'command' | 'create' | 'test', unknown>> & {
  readonly steps?: readonly string[];
  readonly env?: object;
  readonly ports?: readonly string[];
};

const repositories: Readonly<Record<string, readonly [Files, Expected]>> = {
  'an empty folder': [{}, { image: 'bookworm', steps: ['apt curl git'], user: 'dev', ports: [], test: undefined }],
  'a package.json without anything': [
    { 'package.json': '{}' },
    { image: 'docker.io/library/node:24-bookworm', steps: [], test: undefined },
  ],
  'npm with a lock file and .nvmrc': [
    { 'package.json': '{ "scripts": { "test": "node --test" } }', 'package-lock.json': '{}', '.nvmrc': 'v22.3.0\n' },
    {
      image: 'docker.io/library/node:22.3.0-bookworm',
      steps: ['npm ci < package-lock.json package.json > node_modules'],
      test: 'npm test',
    },
  ],
  'a version by the name of its line': [{ 'package.json': '{}', '.nvmrc': 'lts/Iron' }, { image: 'docker.io/library/node:20-bookworm' }],
  'a release older than the images on bookworm': [
    { 'package.json': '{}', '.node-version': '18.12.1' },
    { image: 'docker.io/library/node:18.12.1-bullseye' },
  ],
  'npm with a range in engines and no lock file': [
    { 'package.json': '{ "engines": { "node": "^20 || ^22" }, "dependencies": { "express": "5" } }' },
    { image: 'docker.io/library/node:22-bookworm', steps: ['npm install < package.json > node_modules'] },
  ],
  'a version in .tool-versions': [
    { 'package.json': '{}', '.tool-versions': 'ruby 3.3\nnodejs 20.11.1\n' },
    { image: 'docker.io/library/node:20.11.1-bookworm' },
  ],
  'pnpm with workspaces': [
    {
      'package.json': '{ "packageManager": "pnpm@9.12.0+sha512.abc", "scripts": { "test": "x" } }',
      'pnpm-lock.yaml': '',
      'pnpm-workspace.yaml': 'packages: ["packages/*", "!packages/old", "tools"]',
      'packages/a/package.json': '{}',
      'packages/b/package.json': '{}',
      'tools/package.json': '{}',
    },
    {
      steps: [
        'npm install --global --force pnpm@9.12.0',
        'pnpm install --frozen-lockfile < package.json packages/*/package.json pnpm-lock.yaml pnpm-workspace.yaml tools/package.json > node_modules packages/a/node_modules packages/b/node_modules tools/node_modules',
      ],
      test: 'pnpm test',
    },
  ],
  'yarn 1': [
    { 'package.json': '{}', 'yarn.lock': '' },
    { steps: ['yarn install --frozen-lockfile < package.json yarn.lock > node_modules'] },
  ],
  'Python with requirements that name others': [
    { 'requirements.txt': '-r base/all.txt\npytest', 'base/all.txt': 'flask', '.python-version': '3.12.4' },
    {
      image: 'docker.io/library/python:3.12.4-bookworm',
      steps: ['python3 -m venv .venv && .venv/bin/pip install -r requirements.txt < base/all.txt requirements.txt > .venv'],
      env: { PATH: '/workspace/.venv/bin:${containerEnv:PATH}', VIRTUAL_ENV: '/workspace/.venv' },
      test: 'pytest',
    },
  ],
  'Python with a pyproject.toml only': [
    { 'pyproject.toml': '[project]\nname = "x"\nrequires-python = ">=3.10,<3.13"\n', 'tests/test_x.py': '' },
    {
      image: 'docker.io/library/python:3.12-bookworm',
      steps: ['python3 -m venv .venv > .venv'],
      create: '.venv/bin/pip install --editable .',
      test: 'python -m unittest discover',
    },
  ],
  'Python with uv': [
    { 'pyproject.toml': '[project]\nrequires-python = "~=3.11"\n[tool.pytest.ini_options]\n', 'uv.lock': '' },
    {
      image: 'docker.io/library/python:3.13-bookworm',
      steps: [
        expect.stringContaining('/opt/uv/bin/pip install uv'),
        'uv sync --frozen --no-install-project < pyproject.toml uv.lock > .venv',
      ] as unknown as string[],
      create: undefined,
      test: 'pytest',
    },
  ],
  'Python with poetry': [
    { 'pyproject.toml': '[tool.poetry.dependencies]\npython = "^3.9"\n', 'poetry.lock': '' },
    {
      image: 'docker.io/library/python:3.13-bookworm',
      steps: [
        expect.stringContaining('/opt/poetry/bin/pip'),
        'poetry install --no-root --no-interaction < poetry.lock pyproject.toml > .venv',
      ] as unknown as string[],
    },
  ],
  Go: [
    { 'go.mod': 'module x\n\ngo 1.23.4\n\nrequire example.com/a v1.0.0\n', 'go.sum': '' },
    { image: 'docker.io/library/golang:1.23.4-bookworm', steps: ['go mod download < go.mod go.sum as dev'], test: 'go test ./...' },
  ],
  'Go with a front end': [
    { 'go.mod': 'module x\ngo 1.19\n', 'package.json': '{}', 'package-lock.json': '{}' },
    { image: 'docker.io/library/golang:1-bookworm', steps: ['apt nodejs npm', 'npm ci < package-lock.json package.json > node_modules'] },
  ],
  Rust: [
    { 'Cargo.toml': '[package]\nname = "x"\nrust-version = "1.80"\n', 'Cargo.lock': '', 'src/main.rs': '' },
    {
      image: 'docker.io/library/rust:1.80-bookworm',
      steps: [expect.stringContaining('cargo fetch --locked')] as unknown as string[],
      test: 'cargo test',
    },
  ],
  'a Rust workspace': [
    { 'Cargo.toml': '[workspace]\nmembers = ["a"]\n', 'Cargo.lock': '' },
    { steps: [], create: 'cargo fetch' },
  ],
  'C with a Makefile': [
    { Makefile: 'all: x\ncheck:\n\t./x\n', 'src/x.c': '' },
    { image: 'bookworm', steps: ['apt build-essential curl gdb git'], test: 'make check' },
  ],
  'C++ with CMake': [
    { 'CMakeLists.txt': '' },
    { steps: ['apt build-essential cmake curl gdb git'], test: expect.stringContaining('ctest') },
  ],
  'a Makefile beside a language': [
    { Makefile: 'test:\n', 'go.mod': 'module x\n' },
    { steps: [], test: 'go test ./...' },
  ],
  Ruby: [
    { Gemfile: 'ruby "~> 3.3.0"\n', 'Gemfile.lock': '', 'spec/x.rb': '' },
    {
      image: 'docker.io/library/ruby:3.3-bookworm',
      steps: ['bundle install < Gemfile Gemfile.lock > vendor/bundle'],
      test: 'bundle exec rspec',
    },
  ],
  PHP: [
    { 'composer.json': '{ "require": { "php": "^8.2" }, "require-dev": { "phpunit/phpunit": "11" } }' },
    {
      image: 'docker.io/library/php:8.2-cli-bookworm',
      steps: [
        expect.stringContaining('getcomposer.org'),
        'apt git unzip',
        'composer install --no-interaction --no-scripts < composer.json > vendor',
      ] as unknown as string[],
      test: 'vendor/bin/phpunit',
    },
  ],
  Maven: [
    { 'pom.xml': '<project><properties><java.version>17</java.version></properties></project>' },
    {
      image: 'docker.io/library/maven:3-eclipse-temurin-17',
      steps: ['mvn -B dependency:go-offline < pom.xml as dev'],
      test: 'mvn -B test',
    },
  ],
  'Gradle with its wrapper': [
    { 'build.gradle.kts': 'kotlin { jvmToolchain(21) }', gradlew: '', 'gradle/wrapper/gradle-wrapper.properties': '' },
    {
      image: 'docker.io/library/gradle:jdk21',
      steps: ['./gradlew --no-daemon dependencies < build.gradle.kts gradle/wrapper/gradle-wrapper.properties gradlew as dev'],
      test: './gradlew test',
    },
  ],
  'a Dockerfile of one stage': [
    {
      'package.json': '{}',
      Dockerfile: [
        'ARG VERSION=22',
        'FROM node:${VERSION}-bookworm-slim',
        'RUN apt-get update && apt-get install -y --no-install-recommends \\',
        '    imagemagick libpq-dev=15.* && rm -rf /var/lib/apt/lists/*',
        'RUN apt-get install -y tini ffmpeg',
        'ENV NODE_ENV=production GREETING="hello $NAME" PATH=/app/bin:$PATH',
        'WORKDIR /usr/src',
        'WORKDIR app',
        'EXPOSE 3000 80/tcp 53/udp',
        'USER node:node',
        'CMD ["node", "server.js"]',
      ].join('\n'),
    },
    {
      image: 'node:22-bookworm-slim',
      workspace: '/usr/src/app',
      user: 'node',
      steps: ['apt ffmpeg git tini'],
      env: { GREETING: 'hello ${containerEnv:NAME}', PATH: '/app/bin:${containerEnv:PATH}' },
      ports: ['3000:3000', '8080:80', '8053:53/udp'],
      command: ['node', 'server.js'],
    },
  ],
  'a Dockerfile whose last stage has no tools': [
    {
      'go.mod': 'module x\n',
      Dockerfile:
        'FROM golang:1.24 AS build\nRUN go build\nFROM gcr.io/distroless/static\nCOPY --from=build /x /x\nEXPOSE 8080\nUSER nonroot',
    },
    { image: 'golang:1.24', ports: ['8080:8080'], user: 'dev' },
  ],
  'a Dockerfile whose image none of the languages is in': [
    { 'package.json': '{}', Dockerfile: 'FROM nginx:alpine\nCOPY dist /usr/share/nginx/html\nWORKDIR /etc/nginx' },
    { image: 'docker.io/library/node:24-bookworm', workspace: '/workspace' },
  ],
  'a Dockerfile that stands on its own stage': [
    { Dockerfile: 'FROM debian:bookworm AS base\nENV A=1\nEXPOSE 1500\nFROM base\nENV B=$A' },
    { image: 'debian:bookworm', env: { A: '1', B: '1' }, ports: ['1500:1500'] },
  ],
  'a compose file': [
    {
      Dockerfile: 'FROM debian:bookworm\nEXPOSE 3000',
      'compose.yaml':
        'services:\n  web:\n    build: .\n    ports: ["127.0.0.1:4000:3000", "${DEBUG_PORT:-9229}:9229", { target: 80, published: "8081" }, "1-2:3-4"]\n  db:\n    image: postgres\n    ports: ["5432:5432"]\n',
    },
    { ports: ['4000:3000', '9229:9229', '8081:80'] },
  ],
  'a dev container': [
    {
      'package.json': '{}',
      'package-lock.json': '{}',
      '.devcontainer/devcontainer.json': `{ // a comment
        "image": "mcr.microsoft.com/devcontainers/typescript-node:22",
        "forwardPorts": [3000, "db:5432"],
        "containerEnv": { "A": "\${localEnv:HOME_X}/\${localWorkspaceFolder}", "B": "\${devcontainerId}" },
        "remoteUser": "node",
        "postCreateCommand": "npm install",
        "features": { "ghcr.io/devcontainers/features/git:1": {} },
        "customizations": { "vscode": { "extensions": ["dbaeumer.vscode-eslint"] } },
      }`,
    },
    {
      image: 'mcr.microsoft.com/devcontainers/typescript-node:22',
      ports: ['3000:3000'],
      env: { A: expect.stringMatching(/^\/.*devenv-init-/) },
      user: 'node',
      create: undefined,
    },
  ],
  'a dev container with a Dockerfile of its own': [
    {
      '.devcontainer/devcontainer.json':
        '{ "build": { "dockerfile": "Dockerfile" }, "postCreateCommand": { "a": "make", "b": ["x", "y"] } }',
      '.devcontainer/Dockerfile': 'FROM ubuntu:24.04',
      Dockerfile: 'FROM scratch',
    },
    { image: 'ubuntu:24.04', create: 'make' },
  ],
  'files that are damaged': [
    { 'package.json': '{{{', 'pyproject.toml': '=', 'compose.yaml': '\t- [', Dockerfile: 'FROM', '.devcontainer.json': '[' },
    { image: 'docker.io/library/node:24-bookworm' },
  ],
  'files that are hostile': [
    {
      'package.json':
        '{ "engines": { "node": "\\n*/ \\u202e" }, "packageManager": "pnpm@9\\"; rm -rf /", "workspaces": ["../*", "/etc", "a\\n\\"b"] }',
      '.nvmrc': '24"\n}, "x',
      Dockerfile:
        'FROM $(reboot)\nENV "A B"=1 C="${localEnv:SECRET}" D=${\nEXPOSE 99999 $X\nUSER ../x\nWORKDIR /x/../../proc\nCMD echo ${localEnv:SECRET}',
      'compose.yaml': 'services: { "x\\n}": { image: "a\\n},\\"b\\": 1" } }',
      '.devcontainer.json': '{ "containerEnv": { "x=": "1", "Y": "${" }, "postCreateCommand": "${localEnv:TOKEN}", "remoteUser": "a b" }',
    },
    {
      image: 'docker.io/library/node:24-bookworm',
      user: 'dev',
      create: undefined,
      env: { C: '$${localEnv:SECRET}', D: '$${', Y: '$${' },
      ports: [],
    },
  ],
};

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
      // From FROM in Dockerfile.
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
