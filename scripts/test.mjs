// `npm test`: every check, the cheap ones first. All of them run, whatever fails; the last line counts.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { runProgram } from './setup/run-program.mjs';
import { reportingErrors } from './setup/setup-error.mjs';
import { setup } from './setup/setup.mjs';
import { workspaceNode } from './setup/workspace-packages.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules/.bin');
const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
const slowestRunSeconds = 75 * 60; // a hanging test must not hide the count of the others

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
  console.log(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
  return count.failed === 0 ? 0 : 1;
});

/** One line when it passes; all that it said when it does not. */
async function passes(name, command, args) {
  const started = performance.now();
  const { exitCode, output } = await runProgram(command, args, { cwd: root, env });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${exitCode === 0 ? '✓' : '✗'} ${name} ${seconds} s`);
  if (exitCode !== 0) console.log(output.trimEnd().replace(/^/gm, '    '));
  return exitCode === 0;
}

/** Vitest's own count. A run that ends badly without a failed test (a crash, a hang, an error outside of tests) counts as one failure. */
async function runTests() {
  const resultFile = join(root, '.cache/vitest.json');
  mkdirSync(join(root, '.cache'), { recursive: true });
  rmSync(resultFile, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${resultFile}`];
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...reporters];
  const { exitCode } = await runProgram(workspaceNode, vitest, { cwd: root, env, inherit: true, timeoutSeconds: slowestRunSeconds });
  const count = existsSync(resultFile) ? countOf(JSON.parse(readFileSync(resultFile, 'utf8'))) : { passed: 0, failed: 0, skipped: 0 };
  if (exitCode !== 0 && count.failed === 0) {
    console.log(`vitest ended with ${exitCode}, though no test failed`);
    count.failed = 1;
  }
  return count;
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
