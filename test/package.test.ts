/** The package that `npm install` installs, on its own: nothing of the checkout is used, and no install script has to run. */
import { execFile } from 'node:child_process';
import { globSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCode } from './browser.ts';
import { debian, makeRig, runProcess } from './rig.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);

let folder: string;
let installed: string;
let program: string;

beforeAll(async () => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-package-'));
  await run(process.execPath, [join(root, 'scripts/package.mjs'), folder]);
  const tarball = join(
    folder,
    readdirSync(folder).find((name) => name.endsWith('.tgz'))!,
  );
  const prefix = join(folder, 'prefix');
  await run('npm', ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', '--ignore-scripts', tarball], { cwd: folder });
  installed = join(prefix, 'lib/node_modules/@devenv/cli');
  program = join(prefix, 'bin/devenv');
}, 300_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it holds the program, its schemas, its licence and those of the packages in it', () => {
  const { name, version, private: hidden } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as Record<string, unknown>;
  expect({ name, version, hidden }).toEqual({ name: '@devenv/cli', version: expect.any(String) as string, hidden: undefined });
  expect(readdirSync(installed).toSorted()).toEqual(
    ['LICENSE', 'README.md', 'THIRD-PARTY-LICENSES.txt', 'bin', 'dist', 'extensions', 'node_modules', 'package.json', 'schemas'].toSorted(),
  );
  const licences = readFileSync(join(installed, 'THIRD-PARTY-LICENSES.txt'), 'utf8');
  expect(licences).toMatch(/^undici [\d.]+ \(MIT\)\n\nMIT License/m);
  expect(/^(?:typescript|vitest|esbuild) [\d.]+ /m.exec(licences)).toBe(null);
  for (const file of readdirSync(join(installed, 'dist')))
    expect(readFileSync(join(installed, 'dist', file), 'utf8').includes(root), file).toBe(false);
});

test('the extension is packed beside it: with what it shows, and without sources and what made them', () => {
  // The names stand in a zip file as they are.
  const archive = readFileSync(join(folder, 'devenv-0.1.0.vsix'), 'latin1');
  const names = [...archive.matchAll(/extension\/[\w./-]+/g)].map(([name]) => name);
  for (const name of ['icon.png', 'readme.md', 'changelog.md', 'LICENSE.txt', 'dist/extension.cjs', 'dist/devenv.schema.json'])
    expect(names.some((found) => found.startsWith(`extension/${name}`))).toBe(true);
  expect(names.filter((name) => /\/src\/|node_modules|\.ts$/.test(name))).toEqual([]);
});

test('it brings a Node of its own, and says its version where the PATH has none', async () => {
  expect(globSync(join(installed, 'node_modules/node-linux-*/bin/node'))).toHaveLength(1);
  const { exitCode, stdout } = await runProcess('/bin/sh', [join(installed, 'bin/devenv'), '--version'], {
    cwd: '/',
    env: { DEVENV_BASE_DIR: folder, PATH: folder },
  });
  expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
});

test('it makes environments, and every command can be loaded', async () => {
  await using rig = await makeRig(program);
  const cwd = rig.project({ 'devenv.json': { image: debian, steps: [{ run: 'echo made > /made' }] } });
  expect((await rig.ok(['doctor'], { cwd })).stdout).toContain('embedded');
  await rig.ok(['up'], { cwd });
  expect(await rig.ok(['exec', '--', 'cat', '/made'], { cwd })).toMatchObject({ stdout: 'made\n' });
  await rig.ok(['logs'], { cwd });
  await rig.ok(['down'], { cwd });
  const help = (await rig.ok(['--help'], { cwd })).stdout;
  for (const [, verb] of help.matchAll(/^ {2}([a-z]+) {2}/gm)) await rig.ok([verb!, '--help'], { cwd });
});

test('it has what devenv code serves', async () => {
  await using rig = await makeRig(program);
  const cwd = rig.project({ 'note.txt': 'text' });
  await using code = await startCode(rig, ['--local'], { cwd, program });
  const entered = await fetch(code.url.replace('devenv.localhost', 'localhost'), { redirect: 'manual' });
  const cookie = entered.headers.get('set-cookie')!.split(';')[0]!;
  for (const path of ['', 'extension/package.json', 'extension/dist/extension-web.cjs', 'resolver/dist/extension-web.cjs']) {
    const { href } = new URL(path, code.url.replace('devenv.localhost', 'localhost'));
    expect([path, (await fetch(href, { headers: { cookie } })).status]).toEqual([path, 200]);
  }
});
