import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

interface Report {
  readonly code: string;
  readonly problems: readonly { readonly code: string; readonly line: number; readonly column: number; readonly file: string }[];
}

const problemsOf = (json: unknown): unknown => (json as Report).problems.map(({ code, line, column }) => [code, line, column]);

test.each([
  ['broken JSONC', '{ "image": "scratch", \n  "steps": [ }', [['SYNTAX', 2, 14]]],
  ['an unknown key', '{\n  "image": "scratch",\n  "step": []\n}', [['UNKNOWN_KEY', 3, 3]]],
  ['a wrong type', '{\n  "image": "scratch",\n  "steps": "npm ci"\n}', [['WRONG_TYPE', 3, 12]]],
  ['an unknown base', '{\n  "image": { "ubuntu": "noble" }\n}', [['UNKNOWN_KEY', 2, 14]]],
  ['a step of no known kind', '{\n  "image": "scratch",\n  "steps": [{ "rum": "x" }]\n}', [['UNKNOWN_KEY', 3, 15]]],
  [
    'a missing input',
    '{\n  "image": "scratch",\n  "steps": [\n    { "run": "x", "inputs": ["nope.txt"] }\n  ]\n}',
    [['INPUT_NOT_FOUND', 4, 5]],
  ],
  [
    'several mistakes at once',
    '{\n  "image": "scratch",\n  "usr": "dev",\n  "ports": ["x"],\n  "steps": [{ "apt": 3 }, { "copy": "../x", "to": "/x" }],\n}',
    [
      ['UNKNOWN_KEY', 3, 3],
      ['BAD_VALUE', 4, 13],
      ['WRONG_TYPE', 5, 22],
      ['PATH_OUTSIDE', 5, 37],
    ],
  ],
])('%s: each mistake with its place, exit 2, and nothing is made', async (_what, text, expected) => {
  const cwd = rig.project({ 'devenv.json': text });
  const result = await rig.devenv(['up', '--json'], { cwd });
  expect(problemsOf(result.json)).toEqual(expected);
  expect(result.exitCode).toBe(2);
  expect(result.json).toMatchObject({ outcome: 'error', code: 'CONFIG_INVALID' });
  const plain = await rig.devenv(['plan'], { cwd });
  expect(plain.exitCode).toBe(2);
  const [, line, column] = expected[0]!;
  expect(plain.stderr).toMatch(/^Error: devenv\.json has /);
  expect(plain.stderr).toContain(`devenv.json:${line}:${column}`);
  expect(plain.stderr).toMatch(new RegExp(`^ *> *${line} \\|`, 'm'));
  expect(plain.stderr).not.toMatch(/^\s+at /m);
  expect(existsSync(join(rig.base, 'data/containers'))).toBe(false);
});

test('no devenv.json here or above: what to do', async () => {
  const result = await rig.devenv(['up'], { cwd: rig.base });
  expect([result.exitCode, result.stderr]).toEqual([2, expect.stringMatching(/devenv\.json[^]*Hint/)]);
});

test.each([
  [['nonsense'], 2],
  [['up', '--nonsense'], 2],
  [['exec'], 125],
  [['why', '--step'], 2],
])('devenv %j is a usage error with a hint and without a stack trace', async (args, code) => {
  const result = await rig.devenv(args, { cwd: rig.project({ 'devenv.json': { image: debian } }) });
  expect([result.exitCode, result.stdout]).toEqual([code, '']);
  expect(result.stderr).toMatch(/Hint|help/i);
  expect(result.stderr).not.toMatch(/^\s+at /m);
});

test('a base that Debian does not have', async () => {
  const result = await rig.devenv(['build', '--json'], { cwd: rig.project({ 'devenv.json': { image: { debian: 'nosuchsuite' } } }) });
  expect([result.exitCode, result.json['code']]).toEqual([1, 'BASE_FAILED']);
});

test('a mirror that does not answer is named: it is really asked', async () => {
  const image = { debian: 'bookworm', packages: ['hostname'], mirror: 'http://127.0.0.1:1/debian' };
  const result = await rig.devenv(['build', '--json'], { cwd: rig.project({ 'devenv.json': { image } }) });
  expect([result.exitCode, result.json['code']]).toEqual([1, 'BASE_FAILED']);
  expect(result.stderr).toContain('127.0.0.1:1');
});

test('a package that Debian does not have: the step fails with what apt says', async () => {
  const result = await rig.devenv(['build', '--json'], {
    cwd: rig.project({ 'devenv.json': { image: debian, steps: [{ apt: ['no-such-package-of-debian'] }] } }),
  });
  expect([result.exitCode, result.json['code']]).toEqual([1, 'STEP_FAILED']);
  expect(result.stderr).toContain('Unable to locate package no-such-package-of-debian');
});
