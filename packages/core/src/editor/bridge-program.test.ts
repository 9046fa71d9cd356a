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
const broken = named.filter((name) => name.includes('broken'));
if (broken.length > 0) console.error('Failed Installing Extensions: ' + broken.join(', '));
if (!args.includes('--socket-path')) process.exit(broken.length);
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
  const problems = [`Extensions that devenv.json names are not in the environment: /nowhere/a.vsix, ${join(folder, 'b.vsix')}`];
  expect(greeting).toMatchObject({ name: 'shop', problems });
  writeFileSync(join(folder, 'b.vsix'), '');
  expect(started({}, [join(folder, 'b.vsix')]).greeting).toMatchObject({ problems: [] });
});

/** One server, and what it and its settings have become. Connections to it stay until it is disposed of. */
function oneServer(home: string = mkdtempSync(join(folder, 'home-'))) {
  const server = fresh();
  const file = join(home, '.devenv-server/data/Machine/settings.json');
  const leaving: (() => Promise<unknown>)[] = [];
  return {
    home,
    file,
    given: `/tmp/devenv-editor-${process.getuid!()}/${servers.at(-1)}.given`,
    installed: () => readFileSync(join(server, 'installed'), 'utf8').trimEnd().split('\n'),
    settings: () => JSON.parse(readFileSync(file, 'utf8')) as unknown,
    async enter(customizations: Customizations | undefined): Promise<readonly string[]> {
      const [node, ...args] = bridgeCommand(process.execPath, { server, customizations, name: 'shop' });
      const child = spawn(node!, args, { env: { HOME: home }, stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = once(child, 'close');
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      leaving.push(() => {
        child.stdin.end();
        return ended;
      });
      return (JSON.parse(line.toString()) as { problems: readonly string[] }).problems;
    },
    async [Symbol.asyncDispose]() {
      for (const leave of leaving) await leave();
    },
  };
}

test('a server that runs is given what was added since; what somebody has set stays until something new is asked for', async () => {
  await using one = oneServer();
  const later = join(one.home, 'later.vsix');
  await one.enter({ extensions: ['a.b', later], settings: { 'x.kept': 1, 'x.changed': 1, 'x.removed': 1 } });
  expect([one.installed(), one.settings()]).toEqual([['a.b'], { 'x.kept': 1, 'x.changed': 1, 'x.removed': 1 }]);

  writeFileSync(later, '');
  writeFileSync(one.file, JSON.stringify({ 'x.kept': 'mine', 'x.changed': 1, 'x.removed': 1, own: true }));
  const wanted = { extensions: ['a.b', 'c.d', later], settings: { 'x.kept': 1, 'x.changed': 2, 'x.added': 1 } };
  expect(await one.enter(wanted)).toEqual([]);
  const now = { 'x.kept': 'mine', 'x.changed': 2, own: true, 'x.added': 1 };
  expect([one.installed(), one.settings()]).toEqual([['a.b', `c.d,${later}`], now]);

  await one.enter(undefined); // devenv.json cannot be read
  expect([one.installed().length, one.settings()]).toEqual([2, now]);

  writeFileSync(later, 'another build');
  await one.enter(wanted);
  expect(one.installed().slice(2)).toEqual([later]);
});

test('containers that have one home take nothing from each other', async () => {
  await using one = oneServer();
  await using other = oneServer(one.home);
  const [ofOne, ofOther] = [
    { extensions: ['a.b'], settings: { 'x.a': 1, 'x.both': 1 } },
    { extensions: [], settings: { 'x.b': 1, 'x.both': 2 } },
  ];
  for (let time = 0; time < 2; time++) {
    await one.enter(ofOne);
    await other.enter(ofOther);
  }
  expect([one.installed(), one.settings()]).toEqual([['a.b'], { 'x.a': 1, 'x.both': 2, 'x.b': 1 }]);
});

test.each(['{ "x.own": 3 } // with a comment', '[1]', '"abc"'])(
  'settings that cannot be read (%s) are left alone and told, until they can',
  async (text) => {
    await using one = oneServer();
    await one.enter({ extensions: [], settings: { 'x.a': 1 } });
    writeFileSync(one.file, text);
    expect(await one.enter({ extensions: [], settings: { 'x.a': 2 } })).toEqual([expect.stringContaining(one.file)]);
    expect(readFileSync(one.file, 'utf8')).toBe(text);
    writeFileSync(one.file, '{ "x.own": 3 }');
    expect(await one.enter({ extensions: [], settings: { 'x.a': 2 } })).toEqual([]);
    expect(one.settings()).toEqual({ 'x.own': 3, 'x.a': 2 });
  },
);

test('an extension that fails is told, and tried again when its file is another one', async () => {
  await using one = oneServer();
  await one.enter({ extensions: [], settings: {} });
  const broken = join(one.home, 'broken.vsix');
  writeFileSync(broken, '');
  const wanted = { extensions: ['a.b', broken], settings: {} };
  expect(await one.enter(wanted)).toEqual([`Extensions that devenv.json names are not in the environment: ${broken}`]);
  expect(await one.enter(wanted)).toEqual([]);
  writeFileSync(broken, 'mended');
  await one.enter(wanted);
  expect(one.installed()).toEqual([`a.b,${broken}`, broken]);
});

test.each(['null', '[]', '{"extensions":null,"settings":[]}', '{"extensions":[1]}', '{'])(
  'what is remembered may be anything: %s',
  async (text) => {
    await using one = oneServer();
    await one.enter({ extensions: ['a.b'], settings: { 'x.a': 1 } });
    writeFileSync(one.given, text);
    await one.enter({ extensions: ['a.b', 'c.d'], settings: { 'x.a': 1, 'x.b': 1 } });
    expect(one.settings()).toEqual({ 'x.a': 1, 'x.b': 1 });
    writeFileSync(one.given, text);
    await one.enter(undefined);
  },
);
