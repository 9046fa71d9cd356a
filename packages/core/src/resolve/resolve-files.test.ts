import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Problem } from '../base/errors.ts';
import type { Config, CopyStep, RunStep } from '../config/config.ts';
import { HashCache } from './hash-cache.ts';
import { resolveFiles } from './resolve-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-files-'));
  for (const name of ['package.json', 'src/a.ts', 'src/b.ts', 'src/deep/c.ts', 'src/deep/notes.md', '.git/HEAD', '.env']) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), name);
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

const place = { file: 'devenv.json', line: 3, column: 5 };
const runStep = (...inputs: string[]): RunStep => ({
  kind: 'run',
  name: 'x',
  place,
  command: [],
  inputs,
  outputs: [],
  env: {},
  user: undefined,
  workdir: undefined,
  cache: [],
  secrets: [],
  network: true,
});
const copyStep = (from: string[], to: string): CopyStep => ({
  kind: 'copy',
  name: 'x',
  place,
  from,
  to,
  mode: undefined,
  owner: undefined,
});

function resolved(step: RunStep | CopyStep): { paths: [string, string][]; problems: Problem[] } {
  const problems: Problem[] = [];
  const files = resolveFiles(step, { folder, workspace: '/workspace' } as Config, new HashCache(join(folder, '../none')), problems);
  return { paths: files.map((file) => [file.path, file.target]), problems };
}
const pathsOf = (...inputs: string[]): string[] => resolved(runStep(...inputs)).paths.map(([path]) => path);

test('an input is a file, a folder or a glob, and `!` takes away', () => {
  expect(pathsOf('package.json')).toEqual(['package.json']);
  expect(pathsOf('./src/')).toEqual(['src/a.ts', 'src/b.ts', 'src/deep/c.ts', 'src/deep/notes.md']);
  expect(pathsOf('src/**/*.ts')).toEqual(['src/a.ts', 'src/b.ts', 'src/deep/c.ts']);
  expect(pathsOf('src', '!src/deep')).toEqual(['src/a.ts', 'src/b.ts']);
  expect(pathsOf('src', '!**/*.md')).toEqual(['src/a.ts', 'src/b.ts', 'src/deep/c.ts']);
});

test("the whole workspace is an input without git's own folder", () => {
  expect(pathsOf('.')).toEqual(['.env', 'package.json', 'src/a.ts', 'src/b.ts', 'src/deep/c.ts', 'src/deep/notes.md']);
});

test('inputs keep their place below the working directory', () => {
  expect(resolved(runStep('src/a.ts')).paths).toEqual([['src/a.ts', '/workspace/src/a.ts']]);
});

test('copies go where cp would put them', () => {
  expect(resolved(copyStep(['package.json'], '/etc/app.json')).paths).toEqual([['package.json', '/etc/app.json']]);
  expect(resolved(copyStep(['package.json'], '/etc/')).paths).toEqual([['package.json', '/etc/package.json']]);
  expect(resolved(copyStep(['src'], '/opt/app')).paths.map(([, target]) => target)).toEqual([
    '/opt/app/a.ts',
    '/opt/app/b.ts',
    '/opt/app/deep/c.ts',
    '/opt/app/deep/notes.md',
  ]);
  expect(resolved(copyStep(['src/*.ts'], '/opt')).paths.map(([, target]) => target)).toEqual(['/opt/a.ts', '/opt/b.ts']);
});

test('content, executable bit and link target count; times and other mode bits do not', () => {
  const entries = (): unknown => {
    const problems: Problem[] = [];
    return resolveFiles(runStep('src'), { folder, workspace: '/w' } as Config, new HashCache(join(folder, '../none')), problems).map(
      (file) => file.entry,
    );
  };
  const before = entries();
  utimesSync(join(folder, 'src/a.ts'), 1, 1);
  chmodSync(join(folder, 'src/a.ts'), 0o600);
  expect(entries()).toEqual(before);
  chmodSync(join(folder, 'src/a.ts'), 0o700);
  expect(entries()).not.toEqual(before);
  chmodSync(join(folder, 'src/a.ts'), 0o600);
  writeFileSync(join(folder, 'src/a.ts'), 'src/a.tS');
  expect(entries()).not.toEqual(before);
});

test('every input that is missing is a problem at the step, and so is one behind a link that leads out', () => {
  symlinkSync('/etc', join(folder, 'out'));
  const { problems } = resolved(runStep('nope', 'no/*.ts', 'out/hostname', 'out'));
  expect(problems.map((problem) => [problem.code, problem.line])).toEqual([
    ['INPUT_NOT_FOUND', 3],
    ['INPUT_NOT_FOUND', 3],
    ['PATH_OUTSIDE', 3],
  ]);
});

test('remembered hashes notice every change of content', () => {
  const cacheFile = join(folder, 'cache.json');
  const file = join(folder, 'package.json');
  const old = new Date(Date.now() - 60_000);
  const hash = (): string => {
    const cache = new HashCache(cacheFile);
    const problems: Problem[] = [];
    const [found] = resolveFiles(runStep('package.json'), { folder, workspace: '/w' } as Config, cache, problems);
    cache.save();
    return (found!.entry as { sha256: string }).sha256;
  };
  const first = hash();
  expect(hash()).toBe(first);
  writeFileSync(file, 'package.jsoN');
  utimesSync(file, old, old);
  expect(hash()).not.toBe(first);
});
