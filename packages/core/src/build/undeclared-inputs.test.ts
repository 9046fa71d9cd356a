import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { undeclaredInputs } from './undeclared-inputs.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-undeclared-'));
  mkdirSync(join(folder, 'src'));
  for (const name of ['package.json', 'main.c', 'src/util.c', 'requirements.txt']) writeFileSync(join(folder, name), '');
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['cat: package.json: No such file or directory', ['package.json']],
  ['cc1: fatal error: main.c: No such file or directory', ['main.c']],
  ["npm error enoent ENOENT: no such file or directory, open '/workspace/package.json'", ['package.json']],
  ["make: *** No rule to make target 'src/util.c', needed by 'app'.  Stop.", ['src/util.c']],
  ["ERROR: Could not open requirements file: [Errno 2] No such file or directory: 'requirements.txt'", ['requirements.txt']],
  ['/bin/sh: 1: nothing-of-ours: not found', []],
  ['wrote package.json', []],
  ['cat: ../../etc/passwd: No such file or directory', []],
])('%s', (output, expected) => {
  expect(undeclaredInputs(output, folder, '/workspace', new Set())).toEqual(expected);
});

test('what is declared is not what is missing', () => {
  expect(undeclaredInputs('cat: package.json: No such file', folder, '/workspace', new Set(['package.json']))).toEqual([]);
});
