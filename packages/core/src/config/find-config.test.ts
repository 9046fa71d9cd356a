import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findConfig, notAFile } from './find-config.ts';

let root: string;
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-find-')));
  mkdirSync(join(root, 'project/src/deep'), { recursive: true });
  writeFileSync(join(root, 'project/devenv.json'), 'not read');
});
afterEach(() => rmSync(root, { recursive: true }));

test('the nearest devenv.json above is found', () => {
  expect(findConfig({ cwd: join(root, 'project/src/deep') })).toBe(join(root, 'project/devenv.json'));
  writeFileSync(join(root, 'project/src/devenv.json'), '');
  expect(findConfig({ cwd: join(root, 'project/src/deep') })).toBe(join(root, 'project/src/devenv.json'));
});

test('what is called devenv.json counts also when it is no file: the one above is not meant', () => {
  const nearest = join(root, 'project/src/devenv.json');
  symlinkSync('nowhere', nearest);
  expect(findConfig({ cwd: join(root, 'project/src') })).toBe(nearest);
  expect(findConfig({ cwd: root, configFile: 'project/src' })).toBe(nearest);
  expect(notAFile(nearest)).toBe('is a broken link');
  rmSync(nearest);
  expect(notAFile(nearest)).toBe(undefined);
  mkdirSync(nearest);
  expect(findConfig({ cwd: join(root, 'project/src') })).toBe(nearest);
  expect(notAFile(nearest)).toBe('is a directory, not a file');
  expect(notAFile('/dev/null')).toBe('is no regular file');
});

test('there is none outside a project', () => {
  expect(findConfig({ cwd: root })).toBe(undefined);
  expect(findConfig({ cwd: join(root, 'gone') })).toBe(undefined);
});

test('a file that is named is taken, from where the user stands, and so is the one of a named folder', () => {
  writeFileSync(join(root, 'project/ci.json'), '');
  expect(findConfig({ cwd: join(root, 'project/src'), configFile: '../ci.json' })).toBe(join(root, 'project/ci.json'));
  expect(findConfig({ cwd: root, configFile: 'project' })).toBe(join(root, 'project/devenv.json'));
  expect(findConfig({ cwd: root, configFile: 'none.json' })).toBe(undefined);
});

test('the folder is real, and a link belongs to the folder where it stands', () => {
  symlinkSync('project', join(root, 'link'));
  expect(findConfig({ cwd: join(root, 'link/src') })).toBe(join(root, 'project/devenv.json'));
  mkdirSync(join(root, 'other'));
  symlinkSync('../project/devenv.json', join(root, 'other/devenv.json'));
  expect(findConfig({ cwd: join(root, 'other') })).toBe(join(root, 'other/devenv.json'));
});
