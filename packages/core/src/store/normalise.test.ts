import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../base/canonical-json.ts';
import { listAttributes, makeNode, setAttribute } from '../base/system-calls.ts';
import { formatFileList, listFiles } from './file-list.ts';
import { normalise } from './normalise.ts';

const epoch = 1_000_000_000;
let root: string;
const upper = (...names: string[]): string => join(root, 'upper', ...names);
const lower = (...names: string[]): string => join(root, 'lower', ...names);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devenv-normalise-'));
  mkdirSync(upper());
  mkdirSync(lower());
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(path: string, text: string | Buffer = 'x', seconds = epoch - 10): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  utimesSync(path, seconds, seconds);
}

function whiteout(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  makeNode(path, 0o20000, 0, 0);
}

const apply = (options = {}): void => normalise(upper(), [lower()], epoch, options);

test('no time is later than the epoch or has a fraction; earlier ones stay', () => {
  write(upper('new'), 'x', epoch + 5.5);
  write(upper('old'), 'x', epoch - 99.25);
  symlinkSync('nowhere', upper('link'));
  mkdirSync(upper('folder'));
  apply();
  const times = Object.fromEntries(readdirSync(upper()).map((name) => [name, lstatSync(upper(name)).mtimeMs / 1000]));
  expect(times).toEqual({ new: epoch, old: epoch - 100, link: epoch, folder: epoch });
});

test('a whiteout of what the lower layers do not have is removed, one of what they have stays', () => {
  write(lower('gone'));
  whiteout(upper('gone'));
  whiteout(upper('never'));
  apply();
  expect(readdirSync(upper())).toEqual(['gone']);
});

test('a directory that was copied up without a change is removed; one with another mode stays', () => {
  for (const name of ['same', 'other']) {
    mkdirSync(lower(name));
    mkdirSync(upper(name));
  }
  chmodSync(upper('other'), 0o700);
  mkdirSync(upper('new'));
  apply();
  expect(readdirSync(upper()).toSorted()).toEqual(['new', 'other']);
});

test('a directory that was made anew names what it lacks of the former one, however deep, and hides nothing else', () => {
  for (const name of ['gone', 'kept', 'deep/gone', 'deep/kept', 'gone folder/file']) write(lower('d', name));
  for (const name of ['kept', 'deep/kept', 'added']) write(upper('d', name), 'new');
  setAttribute(upper('d'), 'trusted.overlay.opaque', Buffer.from('y'));
  setAttribute(upper('d'), 'trusted.overlay.impure', Buffer.from('y'));
  apply();
  expect(listFiles(upper()).map(({ path, type }) => `${path} ${type}`)).toEqual([
    'd directory',
    'd/added file',
    'd/deep directory',
    'd/deep/gone character',
    'd/deep/kept file',
    'd/gone character',
    'd/gone folder character',
    'd/kept file',
  ]);
  expect(listAttributes(upper('d'))).toEqual([]);
});

test('a directory of which nothing was below hides nothing', () => {
  write(upper('d', 'file'));
  setAttribute(upper('d'), 'trusted.overlay.opaque', Buffer.from('y'));
  apply();
  expect([listAttributes(upper('d')), readdirSync(upper('d'))]).toEqual([[], ['file']]);
});

test('an entry that repeats what is below is removed, and its directory has the time of before; one that differs stays', () => {
  for (const name of ['same', 'text', 'size', 'mode', 'time', 'attribute', 'linked']) {
    write(lower('d', name));
    write(upper('d', name));
  }
  write(upper('d', 'text'), 'y');
  write(upper('d', 'size'), 'xx');
  write(upper('d', 'time'), 'x', epoch - 5);
  chmodSync(upper('d', 'mode'), 0o600);
  setAttribute(upper('d', 'attribute'), 'user.note', Buffer.from('n'));
  linkSync(upper('d', 'linked'), upper('d', 'other name'));
  symlinkSync('a', lower('same link'));
  symlinkSync('a', upper('same link'));
  for (const link of [lower('same link'), upper('same link')]) lutimesSync(link, epoch - 10, epoch - 10);
  utimesSync(upper('d'), epoch - 20, epoch - 20);
  apply();
  expect(readdirSync(upper())).toEqual(['d']);
  expect(readdirSync(upper('d')).toSorted()).toEqual(['attribute', 'linked', 'mode', 'other name', 'size', 'text', 'time']);
  expect(lstatSync(upper('d')).mtimeMs / 1000).toBe(epoch - 20);
});

test('the time of a directory in which no name came or went is that of below', () => {
  for (const name of ['changed', 'added', 'gone']) write(lower(name, 'file'));
  for (const name of ['changed', 'added']) write(upper(name, 'file'), 'other');
  write(upper('added', 'new'));
  whiteout(upper('gone', 'file'));
  for (const name of ['changed', 'added', 'gone']) {
    utimesSync(lower(name), epoch - 30, epoch - 30);
    utimesSync(upper(name), epoch - 20, epoch - 20);
  }
  apply();
  const times = Object.fromEntries(readdirSync(upper()).map((name) => [name, lstatSync(upper(name)).mtimeMs / 1000 - epoch]));
  expect(times).toEqual({ changed: -30, added: -20, gone: -20 });
});

test('the top of a layer has the time of no run', () => {
  apply();
  expect(lstatSync(upper()).mtimeMs / 1000).toBe(epoch);
});

test('copies and mount points that the step left alone are removed, changed ones stay', () => {
  for (const name of ['same', 'edited', 'chmod']) write(upper('w', 'in', name), 'text');
  writeFileSync(upper('w', 'in', 'edited'), 'more');
  chmodSync(upper('w', 'in', 'chmod'), 0o755);
  symlinkSync('a', upper('w', 'link'));
  write(upper('mnt', 'point'), '');
  mkdirSync(upper('run', 'secrets'), { recursive: true });
  const original = { sha256: sha256('text'), mode: 0o644 };
  apply({
    copies: new Map<string, { sha256: string; mode: number } | { target: string }>([
      ['w/in/same', original],
      ['w/in/edited', original],
      ['w/in/chmod', original],
      ['w/in/deleted', original],
      ['w/link', { target: 'a' }],
    ]),
    litter: ['mnt', 'mnt/point', 'run', 'run/secrets', 'w'],
  });
  expect(listFiles(upper()).map((file) => file.path)).toEqual(['w', 'w/in', 'w/in/chmod', 'w/in/edited']);
});

test("noise of Debian's tools is removed from the new layer, and is not turned into a deletion", () => {
  write(lower('var/log/dpkg.log'));
  for (const path of [
    'var/log/dpkg.log',
    'var/log/apt/term.log',
    'var/cache/ldconfig/aux-cache',
    'var/lib/dpkg/status-old',
    'var/lib/dpkg/status',
  ])
    write(upper(path));
  apply();
  expect(
    listFiles(upper())
      .filter((file) => file.type === 'file')
      .map((file) => file.path),
  ).toEqual(['var/lib/dpkg/status']);
  expect(existsSync(lower('var/log/dpkg.log'))).toBe(true);
});

test('what a machine or a moment is called is removed, and what was compiled from a source of this moment; what was copied in stays', () => {
  const compiled = (flags: number, seconds: number): Buffer => {
    const bytes = Buffer.alloc(20);
    bytes.writeUInt32LE(flags, 4);
    bytes.writeUInt32LE(seconds, 8);
    return bytes;
  };
  write(upper('etc/machine-id'), `${'0a'.repeat(16)}\n`);
  write(upper('var/lib/dbus/machine-id'), 'uninitialized\n');
  write(upper('lib/__pycache__/now.pyc'), compiled(0, epoch + 5));
  write(upper('usr/__pycache__/packaged.pyc'), compiled(0, epoch - 5));
  write(upper('usr/__pycache__/checked.pyc'), compiled(3, epoch + 5));
  write(upper('usr/__pycache__/short.pyc'), 'x');
  write(upper('root/.npm/_logs/2026-01-01-debug.log'));
  write(upper('home/a/.npm/_cacache/index'));
  apply();
  expect(
    listFiles(upper())
      .filter(({ type, path }) => type === 'file' || path.endsWith('__pycache__'))
      .map(({ path }) => path),
  ).toEqual([
    'home/a/.npm/_cacache/index',
    'usr/__pycache__',
    'usr/__pycache__/checked.pyc',
    'usr/__pycache__/packaged.pyc',
    'usr/__pycache__/short.pyc',
    'var/lib/dbus/machine-id',
  ]);
});

test('the same work done at another time, in another order and under another umask gives the same list', () => {
  const make = (folder: string, names: readonly string[], seconds: number): string => {
    for (const name of names) {
      write(join(folder, name), name, seconds);
      chmodSync(join(folder, name), 0o644);
    }
    linkSync(join(folder, 'a'), join(folder, 'z'));
    normalise(folder, [], epoch, {});
    return formatFileList(listFiles(folder));
  };
  mkdirSync(join(root, 'one'));
  mkdirSync(join(root, 'two'));
  const one = make(join(root, 'one'), ['a', 'b', 'é'], epoch + 1);
  expect(make(join(root, 'two'), ['é', 'b', 'a'], epoch + 1000)).toBe(one);
  expect(one).toContain('"type":"hardlink","link":"a"');
});
