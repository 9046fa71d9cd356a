// `npm test`: every check, the cheap ones first. All of them run, whatever fails; the last line counts.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join, relative } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runProgram } from './setup/run-program.mjs';
import { reportingErrors } from './setup/setup-error.mjs';
import { setup } from './setup/setup.mjs';
import { workspaceNode } from './setup/workspace-packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
const endToEnd = ['--project', 'e2e', '--project', 'browser'];
const full = process.env.DEVENV_TEST_FULL === '1';
const slowestRunSeconds = 75 * 60; // a hanging test must not hide the count of the others

/** What failed, repeated at the end: of a long run often only that is kept. */
const failures = [];

const checks = [
  ['build', workspaceNode, 'scripts/build.mjs'],
  ['types', 'tsc', '--noEmit'],
  ['lint', 'oxlint', '--deny-warnings'],
  ['format', 'prettier', '--check', '--log-level', 'warn', '.'],
  ['unused', 'knip'],
];

await reportingErrors(async () => {
  const { complete } = await setup(['run', 'test']);
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const [name, command, ...args] of checks) count[(await passes(name, command, args)) ? 'passed' : 'failed']++;
  const tests = await runTests();
  for (const key of Object.keys(count)) count[key] += tests[key];
  if (!complete) console.log('Packages for the tests are missing: see the command above.');
  for (const failure of failures) console.log(`\n✗ ${failure}`);
  console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  return count.failed === 0 ? 0 : 1;
});

/** One line when it passes; all that it said when it does not. */
async function passes(name, command, args) {
  const started = performance.now();
  const { exitCode, output } = await runProgram(command, args, { cwd: root, env });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${exitCode === 0 ? '✓' : '✗'} ${name} ${seconds} s`);
  if (exitCode !== 0) {
    console.log(indented(output));
    failures.push(`${name}\n${indented(output)}`);
  }
  return exitCode === 0;
}

/**
 * The whole suite as who we are; and as a fresh normal user, when we can make one: end to end, and the laws of the engine, which run in
 * vitest's own process and so as root of that user's namespace. A normal user cannot run those outside of it.
 */
async function runTests() {
  const laws = ['packages/core/src/engine/embedded/embedded-engine.test.ts', 'packages/core/src/engine/embedded/storage'];
  if (process.getuid() !== 0) return sum([await runVitest([mapped], ['--project', 'unit']), await runVitest([], endToEnd)]);
  const own = await runVitest([], []);
  console.log('\nThe same as a normal user');
  const asUser = join(root, 'scripts/as-normal-user.ts');
  const users = [own, await runVitest([asUser, '--mapped'], laws), await runVitest([asUser], endToEnd)];
  // With mounts of its own: it fills a small disk.
  if (full) users.push(await runVitest([asUser, '--mapped', 'unshare', '--mount'], ['--project', 'e2e', 'test/crash.test.ts']));
  return sum(users);
}

const mapped = join(root, 'scripts/setup/mapped.ts');

/**
 * Vitest's own count. A run that ends badly without a failed test (a crash, a hang, an error outside of tests) counts as one failure.
 * `before`: a script of ours that runs vitest, and its arguments.
 */
async function runVitest(before, selection) {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-results-'));
  chmodSync(folder, 0o777); // another user may write it
  const resultFile = join(folder, 'vitest.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultFile}`];
  // The native loader writes nothing beside the configuration, which may be somebody else's.
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--configLoader', 'native', ...reporters, ...selection];
  const words = before.length > 0 ? [...before, workspaceNode, ...vitest] : vitest;
  const { exitCode } = await runProgram(workspaceNode, words, { cwd: root, env, inherit: true, timeoutSeconds: slowestRunSeconds });
  const result = existsSync(resultFile) ? JSON.parse(readFileSync(resultFile, 'utf8')) : undefined;
  const count = result === undefined ? { passed: 0, failed: 0, skipped: 0 } : countOf(result);
  failures.push(...(result === undefined ? [] : failedTests(result)));
  rmSync(folder, { recursive: true });
  if (exitCode !== 0 && count.failed === 0) {
    failures.push(`vitest ${selection.join(' ')} ended with ${exitCode}, though no test failed`);
    count.failed = 1;
  }
  return count;
}

function sum(counts) {
  return Object.fromEntries(['passed', 'failed', 'skipped'].map((key) => [key, counts.reduce((total, count) => total + count[key], 0)]));
}

/** A file that cannot be loaded has no tests to fail: it is one failure itself. */
function countOf(result) {
  const unloadable = result.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: result.numPassedTests,
    failed: result.numFailedTests + unloadable.length,
    skipped: result.numPendingTests + result.numTodoTests,
  };
}

/** File, name and message of each failed test, with what was seen then; and of each file that cannot be loaded. */
function failedTests(result) {
  return result.testResults.flatMap((file) => {
    const failed = file.assertionResults.filter((test) => test.status === 'failed');
    const said = failed.map(({ fullName, failureMessages, meta }) => {
      const texts = meta.seen === undefined ? failureMessages : [...failureMessages, meta.seen];
      return `${relative(root, file.name)}: ${fullName}\n${indented(texts.join('\n'))}`;
    });
    return file.status === 'failed' && failed.length === 0 ? [`${relative(root, file.name)}\n${indented(file.message)}`] : said;
  });
}

function indented(text) {
  return text.trimEnd().replace(/^/gm, '    ');
}
