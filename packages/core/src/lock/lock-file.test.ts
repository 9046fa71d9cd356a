import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { sha256Digest } from '../oci/digest.ts';
import type { StepKey } from '../oci/step-key.ts';
import { definitionOf, lockPath, type Lock } from './lock.ts';
import { formatLock, parseLock, readLock, writeLock } from './lock-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'devenv-lock-'));
afterAll(() => rmSync(folder, { recursive: true }));

const hex = (digit: string): string => digit.repeat(64);
const layer = { name: 'apt git', key: hex('a') as StepKey, definition: hex('b'), diffId: sha256Digest(hex('c')) };
const git = { version: '1:2.39.5-0+deb12u2', sha256: hex('d'), url: 'http://deb.example/pool/git.deb' };
const lock: Lock = {
  epoch: 1767225600,
  platforms: {
    'linux/arm64': { layers: [layer] },
    'linux/amd64': {
      image: { name: 'docker.io/library/node:24', manifest: sha256Digest(hex('1')), id: sha256Digest(hex('2')) },
      layers: [{ ...layer, archiveTime: '20260101T000000Z', packages: { 'libc6:amd64': git, 'git:amd64': git } }],
    },
  },
};

test('a lock is read as it was written, and written the same whatever order it was made in', () => {
  const path = join(folder, 'devenv-lock.json');
  writeLock(path, lock);
  const text = readFileSync(path, 'utf8');
  expect(readLock(path)).toEqual(lock);
  const { 'linux/arm64': arm, 'linux/amd64': amd } = lock.platforms;
  expect(formatLock({ platforms: { 'linux/amd64': amd!, 'linux/arm64': arm! }, epoch: lock.epoch })).toBe(text);
  expect(text.endsWith('}\n') && !text.endsWith('\n\n')).toBe(true);
  expect(text.indexOf('"git:amd64"')).toBeLessThan(text.indexOf('"libc6:amd64"'));
});

test('there may be none', () => {
  expect(readLock(join(folder, 'absent.json'))).toBeUndefined();
});

test.each([
  ['a changed version', (text: string) => text.replace('deb12u2', 'deb12u1'), 'checksum'],
  ['a comment', (text: string) => `// kept\n${text}`, 'no plain JSON'],
  ['half of it', (text: string) => text.slice(0, text.length / 2), 'damaged'],
  ['a hash that is none', (text: string) => text.replace(hex('d'), 'abc'), 'damaged'],
  ['a merge that left its marks', (text: string) => text.replace('"epoch"', '<<<<<<< HEAD\n"epoch"'), 'damaged'],
  ['a newer format', (text: string) => text.replace('"lockVersion": 1', '"lockVersion": 2'), 'version 2'],
  ['an address of a file', (text: string) => text.replace('http://deb.example', 'file:///etc'), 'damaged'],
])('a lock with %s is refused', (_case, change, reason) => {
  const path = join(folder, 'bad-lock.json');
  writeFileSync(path, change(formatLock(lock)));
  const error = thrownBy(() => readLock(path));
  expect(error).toBeInstanceOf(UserError);
  expect(error).toMatchObject({ code: 'LOCK_INVALID', message: expect.stringContaining(reason) as string });
});

test('mistakes in a lock have their places', () => {
  const text = formatLock(lock).replace(hex('d'), 'abc');
  const error = thrownBy(() => parseLock(text, '/x/devenv-lock.json')) as UserError;
  const line = text.split('\n').findIndex((candidate) => candidate.includes('"abc"')) + 1;
  expect(error.problems).toMatchObject([{ file: '/x/devenv-lock.json', line, message: expect.stringContaining('hexadecimal') as string }]);
});

test('a lock may be longer than a configuration', () => {
  const far = { ...git, url: `http://deb.example/${'long/'.repeat(100)}git.deb` };
  const packages = Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`p${index}:amd64`, far]));
  const long: Lock = { epoch: 1, platforms: { 'linux/amd64': { layers: [{ ...layer, packages }] } } };
  expect(parseLock(formatLock(long), 'devenv-lock.json')).toEqual(long);
});

test('the definition of a step has neither what is below nor the packages that are locked', () => {
  const parts = { parent: null, definition: { kind: 'apt', packages: ['git'] }, inputs: {}, args: {}, platform: 'linux/amd64', format: 1 };
  const locked = { ...parts, parent: hex('e') as StepKey, definition: { ...parts.definition, locked: { 'git:amd64': '1 2' } } };
  expect(definitionOf(locked)).toBe(definitionOf(parts));
  expect(definitionOf({ ...parts, definition: { kind: 'apt', packages: ['curl'] } })).not.toBe(definitionOf(parts));
});

test('a lock stands beside the file it locks', () => {
  expect(lockPath('/shop/devenv.json')).toBe('/shop/devenv-lock.json');
  expect(lockPath('/shop/ci.json')).toBe('/shop/ci-lock.json');
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
