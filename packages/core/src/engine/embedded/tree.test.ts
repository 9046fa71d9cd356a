import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { find, readInside } from './tree.ts';

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-tree-')));
const root = join(folder, 'root');
mkdirSync(join(root, 'etc/deep'), { recursive: true });
writeFileSync(join(folder, 'secret'), 'outside');
writeFileSync(join(root, 'secret'), 'inside');
writeFileSync(join(root, 'etc/file'), 'text');
symlinkSync('/secret', join(root, 'etc/absolute'));
symlinkSync('../../../../../../secret', join(root, 'etc/climbing'));
symlinkSync('/etc/deep/..', join(root, 'folder'));
symlinkSync('loop', join(root, 'loop'));
symlinkSync('/made/by/link', join(root, 'dangling'));
afterAll(() => rmSync(folder, { recursive: true }));

test('links lead inside the tree, whatever they say', () => {
  expect(
    ['etc/absolute', '/etc/climbing', '/folder/absolute', '../../secret', '/folder/../secret'].map((path) => readInside(root, path)),
  ).toEqual(Array(5).fill('inside'));
});

test('what is not there, is no file, or goes round in circles is nothing', () => {
  expect(['/absent', '/etc', '/loop', '/etc/file/x', '/dangling'].map((path) => readInside(root, path))).toEqual(Array(5).fill(undefined));
});

test('a place says where it is in the tree, links followed', () => {
  using place = find(root, '/folder/file');
  using link = find(root, '/dangling', { keepLink: true });
  expect([place?.path, link?.path, link?.stats.isSymbolicLink()]).toEqual(['/etc/file', '/dangling', true]);
});

test('what is missing is made inside, with the owner and mode asked for, and reported', () => {
  const made: string[] = [];
  const umask = process.umask(0o077);
  const owner = { uid: process.getuid!(), gid: process.getgid!() };
  {
    using _file = find(root, '/dangling/x/file', { create: { ...owner, mode: 0o755, kind: 'file', onMade: (path) => made.push(path) } });
    using _again = find(root, '/made/by', { create: { ...owner, mode: 0o700, onMade: (path) => made.push(path) } });
  }
  process.umask(umask);
  expect(made).toEqual(['/made', '/made/by', '/made/by/link', '/made/by/link/x', '/made/by/link/x/file']);
  expect([statSync(join(root, 'made/by')).mode & 0o777, statSync(join(root, 'made/by/link/x/file')).mode & 0o777]).toEqual([0o755, 0o644]);
  expect(readFileSync(join(folder, 'secret'), 'utf8')).toBe('outside');
});
