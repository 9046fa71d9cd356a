/** What `npm start` does before it installs anything, against a Debian that lacks packages: its tools are stand-ins that write down each call. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../start.mjs', import.meta.url));
const wanted = Object.keys((JSON.parse(readFileSync(new URL('../debian-packages.json', import.meta.url), 'utf8')) as { run: object }).run);
const present = wanted.filter((name) => name !== 'crun' && name !== 'passt');

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'setup-'));
  tool('dpkg-query', `printf '%s installed\\n' ${present.join(' ')}; echo 'passt config-files'; exit 1`);
});

afterEach(() => rmSync(folder, { recursive: true }));

test.each([
  ['--no-install', ['--no-install'], {}],
  ['DEVENV_NO_INSTALL=1', [], { DEVENV_NO_INSTALL: '1' }],
])('with %s nothing is installed, and the command that would do it is shown', (_, args, env) => {
  tool('apt-get', '');
  const { status, stderr } = start(args, env);
  expect(status).toBe(1);
  expect(stderr.split('\n')).toContain('  apt-get install --no-install-recommends crun passt');
  expect(calls()).toEqual(['apt-get --simulate install crun passt']);
});

test('where the package lists know nothing yet, the shown command refreshes them first', () => {
  tool('apt-get', 'exit 100');
  expect(start(['--no-install'], {}).stderr).toContain('  apt-get update; apt-get install --no-install-recommends crun passt\n');
});

test.skipIf(process.getuid!() !== 0)(
  'packages that cannot be had end the start with the reason and no stack trace, after the lists were refreshed',
  () => {
    tool('apt-get', '[ "$*" != "${*#*update}" ] && exit 0; echo "E: Unable to locate package crun" >&2; exit 100');
    const { status, stdout, stderr } = start([], {});
    expect(status).toBe(1);
    expect(stdout).toMatch(/crun +containers\n +passt +network/);
    expect(stderr).toBe(
      '\nThe Debian packages could not be installed.\n  E: Unable to locate package crun\nHint: the package sources of this machine lack it, or could not be read: devenv expects Debian 12 or newer. Try apt-get update.\n',
    );
    expect(calls().map((call) => /(--simulate install|update|install)/.exec(call)?.[0])).toEqual([
      '--simulate install',
      'update',
      'install',
    ]);
  },
);

function start(args: readonly string[], env: Readonly<Record<string, string>>): { status: number | null; stdout: string; stderr: string } {
  const path = `${folder}${delimiter}${process.env['PATH']}`;
  return spawnSync(process.execPath, [script, ...args], { encoding: 'utf8', env: { ...process.env, PATH: path, ...env } });
}

function tool(name: string, body: string): void {
  writeFileSync(join(folder, name), `#!/bin/sh\n[ ${name} = apt-get ] && echo "${name} $*" >> ${folder}/calls\n${body}\n`);
  chmodSync(join(folder, name), 0o755);
}

function calls(): readonly string[] {
  return readFileSync(join(folder, 'calls'), 'utf8').trimEnd().split('\n');
}
