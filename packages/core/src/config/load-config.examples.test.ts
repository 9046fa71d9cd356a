import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { UserError, type Problem } from '../base/errors.ts';
import type { Config } from './config.ts';
import { loadConfig } from './load-config.ts';

const schemas = fileURLToPath(new URL('../../../../schemas', import.meta.url));
const env = { HOME: '/home/me', USER: 'me' };

for (const name of examples('valid')) {
  test(`schemas/valid/${name}.json means schemas/valid/${name}.config.txt`, async () => {
    const config = withExample('valid', name, (folder) =>
      JSON.stringify(loadConfig({ cwd: folder, env }), null, 2).replaceAll(dirname(folder), '/projects'),
    );
    await expect(`${config}\n`).toMatchFileSnapshot(join(schemas, 'valid', `${name}.config.txt`));
  });
}

for (const name of examples('invalid')) {
  test(`schemas/invalid/${name}.json has the mistakes of schemas/invalid/${name}.problems.txt`, async () => {
    const report = withExample('invalid', name, (folder) => describeFailure(folder).replaceAll(dirname(folder), '/projects'));
    await expect(report).toMatchFileSnapshot(join(schemas, 'invalid', `${name}.problems.txt`));
  });
}

test('every mistake has a place, a frame with a caret at it, and a code that no other mistake at that place has', () => {
  for (const name of examples('invalid')) {
    const problems = withExample('invalid', name, failure).problems;
    expect(problems.length, name).toBeGreaterThan(0);
    const places = problems.map(({ code, file, line, column }) => `${code} ${file}:${line}:${column}`);
    expect(new Set(places).size, `${name}: ${places.join('\n')}`).toBe(places.length);
    // Further right a frame shows the middle of a line.
    for (const problem of problems.filter(({ column }) => column! < 100))
      expect(caretColumn(problem), `${name} ${problem.message}`).toBe(problem.column);
  }
});

function examples(folder: 'valid' | 'invalid'): readonly string[] {
  const files = readdirSync(join(schemas, folder)).filter((file) => file.endsWith('.json') && !file.endsWith('.local.json'));
  return files.map((file) => file.slice(0, -'.json'.length)).toSorted();
}

/** Lays the example out as a project of its own. */
function withExample<T>(kind: 'valid' | 'invalid', name: string, use: (folder: string) => T): T {
  const temporary = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-config-')));
  const folder = join(temporary, 'shop'); // its name is in the result
  try {
    mkdirSync(folder);
    copyFileSync(join(schemas, kind, `${name}.json`), join(folder, 'devenv.json'));
    const local = join(schemas, kind, `${name}.local.json`);
    if (existsSync(local)) copyFileSync(local, join(folder, 'devenv.local.json'));
    return use(folder);
  } finally {
    rmSync(temporary, { recursive: true });
  }
}

function failure(folder: string): UserError {
  let config: Config;
  try {
    config = loadConfig({ cwd: folder, env });
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error(`no mistake was found: ${JSON.stringify(config)}`);
}

function describeFailure(folder: string): string {
  const error = failure(folder);
  const parts = error.problems.map((problem) => {
    const hint = problem.hint ? `\n  hint: ${problem.hint}` : '';
    return `${problem.file}:${problem.line}:${problem.column} ${problem.code}\n  ${problem.message}${hint}\n${problem.frame}\n`;
  });
  return [`${error.code} ${error.message}\n`, ...parts].join('\n');
}

/** Where the caret stands in the line that it is under. */
function caretColumn(problem: Problem): number {
  const caret = problem.frame!.split('\n').find((line) => /^ +\| +\^$/.test(line))!;
  return caret.indexOf('^') - caret.indexOf('|') - 1;
}
