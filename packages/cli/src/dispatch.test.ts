import { expect, test, vi } from 'vitest';
import packageFile from '../package.json' with { type: 'json' };
import { verbFirst } from './command-line.ts';
import { commands } from './commands.ts';
import { dispatch } from './dispatch.ts';
import { fastPath } from './fast-path.ts';

test('--version tells the version and nothing else', async () => {
  expect(await said('--version')).toEqual({ code: 0, stdout: `${packageFile.version}\n`, stderr: '' });
});

test('--help shows an example first, then every command, on one screen', async () => {
  const { code, stdout } = await said('--help');
  expect(code).toBe(0);
  expect(stdout.split('\n')[2]).toBe('  $ devenv up && devenv shell');
  for (const name of commands.keys()) expect(stdout).toMatch(new RegExp(`^  (?:.*  )?${name}(?:  .*)?$`, 'm'));
  expect(stdout.split('\n').length).toBeLessThanOrEqual(45);
  expect(await said('help')).toEqual(await said('-h'));
});

test.each([...commands.keys()])('%s --help is a summary, examples, usage and flags on one screen', async (name) => {
  const { code, stdout } = await said(name, '--help');
  const lines = stdout.split('\n');
  expect({ code, heading: lines[2], example: lines[3]?.startsWith(`  $ devenv ${name}`) }).toEqual({
    code: 0,
    heading: 'EXAMPLES',
    example: true,
  });
  expect(lines.length).toBeLessThanOrEqual(name === 'run' ? 34 : name === 'up' ? 27 : 25); // Docker's users look for their flags
  expect((await said('help', name)).stdout).toBe(stdout);
});

test.each([
  [['stattus'], 2, 'There is no command "stattus".', 'Did you mean devenv status?'],
  [['frobnicate'], 2, 'There is no command "frobnicate".', 'See devenv --help.'],
  [['help', 'shel'], 2, 'There is no command "shel".', 'Did you mean devenv shell?'],
  [['up', '--no-cach'], 2, 'There is no flag --no-cach of devenv up.', 'Did you mean --no-cache?'],
  [['ps', '-x'], 2, 'There is no flag -x of devenv ps.', 'See devenv ps --help.'],
  [['--frobnicate'], 2, 'There is no flag --frobnicate.', 'See devenv --help.'],
  [['ps', 'extra'], 2, 'Unexpected argument: extra.', 'See devenv ps --help.'],
  [['up', '--progress', 'fast'], 2, 'Expected --progress=fast to be one of: auto, tty, plain, json, quiet.', 'See devenv up --help.'],
  [['exec'], 125, 'A command is missing.', 'Name one: devenv exec npm test'],
  [['run', '-u', 'dev'], 125, 'There is no devenv.json here, and no image is named.', 'Name one: devenv run -it ubuntu'],
  [['exec', '--jsn', 'ls'], 125, 'There is no flag --jsn of devenv exec.', 'Did you mean --json?'],
  [['-C', '/nowhere', 'ps'], 2, 'There is no directory /nowhere.', 'Give -C a directory that exists.'],
])('%j is refused with a hint', async (argv, code, message, hint) => {
  expect(await said(...argv)).toEqual({ code, stdout: '', stderr: `Error: ${message}\nHint: ${hint}\n` });
});

test('a mistake in the words is an object too under --json', async () => {
  const { code, stdout } = await said('up', '--json', '--bogus');
  expect({ code, object: JSON.parse(stdout) as unknown }).toEqual({
    code: 2,
    object: {
      schema: 1,
      outcome: 'error',
      code: 'USAGE',
      message: 'There is no flag --bogus of devenv up.',
      hint: 'See devenv up --help.',
      problems: [],
    },
  });
});

async function said(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const result = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text: string | Uint8Array, ...[done]: unknown[]) => {
      result[name] += String(text);
      if (typeof done === 'function') done();
      return true;
    }),
  );
  const { verb, rest } = verbFirst(argv);
  const code = (await fastPath(verb, rest)) ?? (await dispatch(verb, rest));
  for (const spy of spies) spy.mockRestore();
  return { code, ...result };
}
