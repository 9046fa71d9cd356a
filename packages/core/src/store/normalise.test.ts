import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
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
import { getAttribute, makeNode, setAttribute } from '../base/system-calls.ts';
import { formatFileList, listFiles } from './file-list.ts';
import { findInLower, normalise } from './normalise.ts';

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

function write(path: string, text = 'x', seconds = epoch - 10): void {
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

test('an emptied opaque directory stays: it hides what is below', () => {
  write(lower('d', 'file'));
  mkdirSync(upper('d'));
  setAttribute(upper('d'), 'trusted.overlay.opaque', Buffer.from('y'));
  setAttribute(upper('d'), 'trusted.overlay.impure', Buffer.from('y'));
  apply();
  expect(getAttribute(upper('d'), 'trusted.overlay.opaque')?.toString()).toBe('y');
  expect(getAttribute(upper('d'), 'trusted.overlay.impure')).toBeUndefined();
  expect(findInLower([upper(), lower()], 'd/file')).toBeUndefined();
  expect(findInLower([lower()], 'd/file')).toBe(lower('d', 'file'));
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
