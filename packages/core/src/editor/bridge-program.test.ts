import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bridgeCommand } from './bridge-program.ts';
import type { Customizations } from './customizations.ts';

const folder = mkdtempSync(join(tmpdir(), 'devenv-bridge-program-'));
const servers: string[] = [];
afterAll(() => {
  for (const key of servers) for (const file of globSync(`/tmp/devenv-editor-${process.getuid!()}/${key}.*`)) rmSync(file, { force: true });
  rmSync(folder, { recursive: true });
});

/** A server that was not there before, as `bridgeCommand` has it. */
function fresh(): string {
  const key = `${basename(folder)}-${servers.length}`;
  servers.push(key);
  const server = join(folder, key, 'server');
  mkdirSync(join(server, 'out'), { recursive: true });
  writeFileSync(join(server, 'product.json'), JSON.stringify({ version: '1.0.0', commit: 'c' }));
  writeFileSync(join(server, 'out/server-main.js'), fakeServer);
  return server;
}

/** What is said first, and the language that a server is given. */
function started(env: Readonly<Record<string, string>>, extensions: readonly string[] = []): { greeting: object; language: string } {
  const server = fresh();
  const customizations = { extensions, settings: {} };
  const [node, ...args] = bridgeCommand(process.execPath, { server, customizations, name: 'shop' });
  const { stdout, stderr } = spawnSync(node!, args, { env: { HOME: folder, ...env }, input: '', encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return { greeting: JSON.parse(stdout) as object, language: readFileSync(join(server, 'language'), 'utf8') };
}

/** It goes when all its connections have: one only asks whether it is there. */
const fakeServer = `
const { LANG, LC_CTYPE } = process.env, fs = require('node:fs'), args = process.argv;
const named = args.filter((_, index) => args[index - 1] === '--install-extension');
if (named.length > 0) fs.appendFileSync(__dirname + '/../installed', named.join() + '\\n');
if (!args.includes('--socket-path')) process.exit(0);
fs.writeFileSync(__dirname + '/../language', [LANG, LC_CTYPE].join());
const server = require('node:net').createServer((socket) => socket.resume().on('close', () => server.close()));
server.listen(args[args.indexOf('--socket-path') + 1]);
`;

test.skipIf(!['C.utf8', 'C.UTF-8'].some((name) => existsSync(`/usr/lib/locale/${name}`)))(
  'a server is given a language that is there, where the environment says none',
  () => {
    expect(started({}).language).toBe('C.UTF-8,');
    expect(started({ LANG: 'de_DE.UTF-8' }).language).toBe('de_DE.UTF-8,');
    expect(started({ LC_CTYPE: 'C' }).language).toBe(',C');
  },
);

test('files of extensions that are not there are told with the greeting', () => {
  const { greeting } = started({}, ['a.b', '/nowhere/a.vsix', join(folder, 'b.vsix')]);
  expect(greeting).toMatchObject({ name: 'shop', missing: ['/nowhere/a.vsix', join(folder, 'b.vsix')] });
  writeFileSync(join(folder, 'b.vsix'), '');
  expect(started({}, [join(folder, 'b.vsix')]).greeting).toMatchObject({ missing: [] });
});

test('a server that runs is given what was added since, and what somebody has set meanwhile stays', async () => {
  const [server, home] = [fresh(), mkdtempSync(join(folder, 'home-'))];
  /** A connection that stays until its stdin ends. */
  const enter = async (customizations: Customizations | undefined): Promise<{ leave(): Promise<void> }> => {
    const [node, ...args] = bridgeCommand(process.execPath, { server, customizations, name: 'shop' });
    const child = spawn(node!, args, { env: { HOME: home }, stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'close');
    await once(child.stdout, 'data');
    return {
      async leave() {
        child.stdin.end();
        await ended;
      },
    };
  };
  const installed = (): string => readFileSync(join(server, 'installed'), 'utf8');
  const file = join(home, '.devenv-server/data/Machine/settings.json');
  const settings = (): unknown => JSON.parse(readFileSync(file, 'utf8'));
  const later = join(home, 'later.vsix');

  const first = await enter({ extensions: ['a.b', later], settings: { 'x.kept': 1, 'x.changed': 1, 'x.removed': 1 } });
  expect([installed(), settings()]).toEqual(['a.b\n', { 'x.kept': 1, 'x.changed': 1, 'x.removed': 1 }]);

  writeFileSync(later, '');
  writeFileSync(file, JSON.stringify({ 'x.kept': 'mine', 'x.changed': 1, 'x.removed': 1, own: true }));
  const wanted = { extensions: ['a.b', 'c.d', later], settings: { 'x.kept': 1, 'x.changed': 2, 'x.added': 1 } };
  const second = await enter(wanted);
  expect([installed(), settings()]).toEqual([`a.b\nc.d,${later}\n`, { 'x.kept': 'mine', 'x.changed': 2, own: true, 'x.added': 1 }]);

  const unread = await enter(undefined);
  expect([installed(), settings()]).toEqual([`a.b\nc.d,${later}\n`, { 'x.kept': 'mine', 'x.changed': 2, own: true, 'x.added': 1 }]);

  writeFileSync(file, '{ "x.kept": 3 } // with a comment');
  const third = await enter({ ...wanted, settings: {} });
  expect([installed(), readFileSync(file, 'utf8')]).toEqual([`a.b\nc.d,${later}\n`, '{ "x.kept": 3 } // with a comment']);
  for (const each of [first, second, unread, third]) await each.leave();
});
