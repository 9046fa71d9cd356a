import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { bridgeCommand } from './bridge-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'devenv-bridge-program-'));
const servers: string[] = [];
afterAll(() => {
  for (const key of servers) for (const file of globSync(`/tmp/devenv-editor-${process.getuid!()}/${key}.*`)) rmSync(file, { force: true });
  rmSync(folder, { recursive: true });
});

/** What is said first, and the language that a server is given. */
function started(env: Readonly<Record<string, string>>, extensions: readonly string[] = []): { greeting: object; language: string } {
  const key = `${basename(folder)}-${servers.length}`;
  servers.push(key);
  const server = join(folder, key, 'server');
  mkdirSync(join(server, 'out'), { recursive: true });
  writeFileSync(join(server, 'product.json'), JSON.stringify({ version: '1.0.0', commit: 'c' }));
  writeFileSync(join(server, 'out/server-main.js'), fakeServer);
  const customizations = { extensions, settings: {} };
  const [node, ...args] = bridgeCommand(process.execPath, { server, customizations, name: 'shop' });
  const { stdout, stderr } = spawnSync(node!, args, { env: { HOME: folder, ...env }, input: '', encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return { greeting: JSON.parse(stdout) as object, language: readFileSync(join(server, 'language'), 'utf8') };
}

/** It goes when all its connections have: one only asks whether it is there. */
const fakeServer = `
const { LANG, LC_CTYPE } = process.env;
require('node:fs').writeFileSync(__dirname + '/../language', [LANG, LC_CTYPE].join());
const server = require('node:net').createServer((socket) => socket.resume().on('close', () => server.close()));
server.listen(process.argv[process.argv.indexOf('--socket-path') + 1]);
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
