import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { UserError } from '../base/errors.ts';
import { loadSettings } from './load-settings.ts';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'devenv-settings-'))));
afterEach(() => rmSync(directory, { recursive: true }));

function write(text: string, name = 'config.json'): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test('without files there are no settings', () => {
  expect(loadSettings([join(directory, 'none.json')], {})).toEqual({
    registries: {},
    cache: { from: [], to: undefined },
    packages: { snapshots: undefined },
  });
});

test('comments and commas at the end are allowed, and files are named from where they are named', () => {
  const path = write(`{
    // of the company
    "registries": {
      "docker.io": { "mirrors": ["https://mirror.example", "https://proxy.example/hub"] },
      "registry.example:5000": { "ca": "corp.pem", "tokenServer": "gitlab.example" },
      "other.example": { "ca": "~/ca.pem", "insecure": true },
    },
  }`);
  expect(loadSettings([path], { HOME: '/home/me' }).registries).toEqual({
    'docker.io': { mirrors: ['https://mirror.example', 'https://proxy.example/hub'] },
    'registry.example:5000': { ca: join(directory, 'corp.pem'), tokenServer: 'gitlab.example' },
    'other.example': { ca: '/home/me/ca.pem', insecure: true },
  });
});

test("what the user says of a registry replaces what the machine's file says of it", () => {
  const machine = write('{ "registries": { "a.example": { "insecure": true }, "b.example": { "insecure": true } } }', 'machine.json');
  const own = write('{ "registries": { "a.example": { "insecure": false } } }');
  expect(loadSettings([machine, own], {}).registries).toEqual({ 'a.example': { insecure: false }, 'b.example': { insecure: true } });
});

test('caches of the machine and of the user are believed; where steps go the user decides', () => {
  const machine = write('{ "cache": { "from": ["a.example/cache"], "to": "a.example/cache" } }', 'machine.json');
  const own = write('{ "cache": { "from": ["b.example/cache", "a.example/cache"], "to": "b.example/mine" } }');
  expect(loadSettings([machine, own], {}).cache).toEqual({ from: ['a.example/cache', 'b.example/cache'], to: 'b.example/mine' });
});

test.each([
  ['{ "cache": { "from": ["a.example/cache:tag"] } }', 'BAD_VALUE', /without a tag/, 1],
  ['{ "registry": {} }', 'UNKNOWN_KEY', /There is no "registry"/, 1],
  ['{\n "registries": { "a.example": { "miror": [] } } }', 'UNKNOWN_KEY', /"miror"/, 2],
  ['{ "registries": { "https://a.example": {} } }', 'BAD_VALUE', /named by its host/, 1],
  ['{ "registries": { "a.example": { "mirrors": "https://b.example" } } }', 'WRONG_TYPE', /mirrors/, 1],
  ['{ "registries": { "a.example": { "mirrors": ["b.example"] } } }', 'BAD_VALUE', /A mirror is an address/, 1],
  ['{ "registries": { "a.example": { "mirrors": ["http://b.example"] } } }', 'BAD_VALUE', /without encryption/, 1],
  ['{ "registries": { "a.example": { "mirrors": ["https://user:secret@b.example"] } } }', 'BAD_VALUE', /A mirror is an address/, 1],
  ['{ "registries": ', 'SYNTAX', /value is expected/, 1],
  ['[]', 'WRONG_TYPE', /must be an object/, 1],
])('%j is a mistake at its place', (text, code, message, line) => {
  const error = failureOf([write(text)]);
  expect(error.code).toBe('CONFIG_INVALID');
  expect(error.problems[0]).toMatchObject({
    code,
    message: expect.stringMatching(message) as string,
    line,
    file: join(directory, 'config.json'),
  });
});

test('plain http to a mirror is allowed where the same file says so, and on this machine', () => {
  const text =
    '{ "registries": { "a.example": { "mirrors": ["http://b.example:80", "http://127.0.0.1:5000"] }, "b.example": { "insecure": true } } }';
  expect(() => loadSettings([write(text)], {})).not.toThrow();
});

test('a folder in the place of the file is said', () => {
  mkdirSync(join(directory, 'config.json'));
  expect(failureOf([join(directory, 'config.json')]).message).toMatch(/is a directory/);
});

test('the schema is one that editors take', () => {
  const schema = JSON.parse(readFileSync(new URL('../../../../schemas/config.schema.json', import.meta.url), 'utf8')) as object;
  expect(schema).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema', additionalProperties: false });
});

function failureOf(paths: readonly string[]): UserError {
  try {
    loadSettings(paths, {});
  } catch (error) {
    return error as UserError;
  }
  throw new Error('it was accepted');
}
