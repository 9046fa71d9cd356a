// `npm start`: from a fresh clone to output from inside an environment. Needs Node 20 and npm; what else is missing it installs, saying so first.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { setup } from './setup/setup.mjs';
import { SetupError, reportingErrors } from './setup/setup-error.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const example = join(root, 'examples/hello');
const devenv = join(root, 'packages/cli/bin/devenv');
const short = 'packages/cli/bin/devenv';

/** What shows that one is inside: another system and user, the same files, and the program that a step has built. */
const tour = [
  ['sh', '-c', '. /etc/os-release && echo "$PRETTY_NAME, user $(id -un), host $(hostname), in $(pwd)"'],
  ['ls', '-l'],
  ['hello'],
];

const next = [
  ['shell', 'a shell inside'],
  ['exec -- uname -a', 'one command inside'],
  ['plan', 'what up would do, and what is cached'],
  ['down', 'remove the environment; its layers stay for the next up'],
];

await reportingErrors(async () => {
  const { complete } = await setup(['run']);
  const { build } = await import('./build.mjs');
  if (await build()) console.log('Built devenv.');

  if (!complete || process.getuid?.() !== 0) {
    const doctor = run(['doctor']);
    if (!complete || doctor !== 0)
      throw new SetupError(
        'devenv is built, but no environment can be started here yet.',
        'do what is printed above, then npm start again.',
      );
  }
  if (run(['up']) !== 0) throw new SetupError('The example did not come up.', `to see what this machine lacks: ${short} doctor`);
  for (const command of tour) {
    const exitCode = run(['exec', '--', ...command]);
    if (exitCode !== 0) throw new SetupError(`The command ended with ${exitCode} inside the environment.`);
  }
  console.log('\nTry next:\n  cd examples/hello');
  const width = Math.max(...next.map(([verb]) => verb.length));
  for (const [verb, meaning] of next) console.log(`  ../../${short} ${verb.padEnd(width)}  ${meaning}`);
  return 0;
});

/** Runs devenv in the example, in this terminal; shows the command as one would type it. */
function run(args) {
  console.log(`\n$ devenv ${args.map(quoted).join(' ')}`);
  const { status, error } = spawnSync(devenv, args, { cwd: example, stdio: 'inherit' });
  if (error) throw error;
  return status ?? 1;
}

function quoted(word) {
  return /^[\w./:=-]+$/.test(word) ? word : `'${word}'`;
}
