import { expect, test } from 'vitest';
import { fastPathOptions, parseExec, parseStatus, parseUp, splitCommand, splitRun, verbFirst } from './command-line.ts';
import Build from './commands/build.ts';
import Exec from './commands/exec.ts';
import Run from './commands/run.ts';
import Up from './commands/up.ts';

const words = (line: string): string[] => (line === '' ? [] : line.split(' '));

test.each([
  ['ls', {}, 'ls'],
  ['ls -la', {}, 'ls -la'],
  ['-- ls -la', {}, 'ls -la'],
  ['ls -- -la', {}, 'ls -- -la'],
  ['-- -weird', {}, '-weird'],
  ['-u dev id -u', { user: 'dev' }, 'id -u'],
  ['-udev id', { user: 'dev' }, 'id'],
  ['--user=dev id', { user: 'dev' }, 'id'],
  ['--user dev id --user x', { user: 'dev' }, 'id --user x'],
  ['-it sh', { terminal: true }, 'sh'],
  ['-i sh', {}, 'sh'],
  ['-T sh', { terminal: false }, 'sh'],
  ['-itu root sh', { terminal: true, user: 'root' }, 'sh'],
  ['-itw /x -- sh -c x', { terminal: true, workdir: '/x' }, 'sh -c x'],
  ['-e A=1 -eB=2 --env C env', { env: ['A=1', 'B=2', 'C'] }, 'env'],
  [
    '-C /tmp --config a.json --json --verbose -y --no-color true',
    { cwd: '/tmp', config: 'a.json', json: true, verbose: true, color: false },
    'true',
  ],
  ['--progress plain true', { progress: 'plain' }, 'true'],
])('exec %s', (line, flags, command) => {
  const none = { cwd: undefined, config: undefined, json: false, progress: 'auto', color: true, verbose: false };
  const own = { env: [], user: undefined, workdir: undefined, terminal: undefined };
  expect(parseExec(words(line))).toEqual({ flags: { ...none, ...own, ...flags }, command: words(command) });
});

test.each(['', '--', '-u dev', '--bogus ls', '-x ls', '--progress fast ls', '--help', '-h ls', '--json=yes ls', '-u'])(
  'exec %s is left to oclif, which explains',
  (line) => expect(parseExec(words(line))).toBeUndefined(),
);

test('up takes its own flags and nothing else', () => {
  expect(parseUp(words('--no-cache --refresh --json'))).toMatchObject({ noCache: true, refresh: true, json: true });
  expect(parseUp([])).toMatchObject({ noCache: false, refresh: false });
  for (const line of ['--dry-run', '--run', '--watch', 'extra', '--help', '-h', '-u dev']) expect(parseUp(words(line))).toBeUndefined();
});

test('status takes the flags that every command shares', () => {
  expect(parseStatus(words('--json -C /there'))).toMatchObject({ json: true, cwd: '/there' });
  for (const line of ['extra', '--help', '--no-cache']) expect(parseStatus(words(line))).toBeUndefined();
});

test('run takes the flags of build and of exec before its command', () => {
  expect(splitCommand(words('--no-cache -e A=1 make --no-cache'))).toEqual({
    own: words('--no-cache -e A=1'),
    command: words('make --no-cache'),
  });
});

test('run takes what Docker users type before the image, and nothing behind it', () => {
  expect(splitRun(words('-it --rm -v /a:/b -p8080:80 -e A=1 --name x ubuntu ls -v /c'))).toEqual({
    own: words('-it --rm -v /a:/b -p8080:80 -e A=1 --name x'),
    command: words('ubuntu ls -v /c'),
  });
});

test('flags that every command shares may stand before the verb', () => {
  expect(verbFirst(words('-C /tmp --json exec -u dev ls'))).toEqual({ verb: 'exec', rest: words('-C /tmp --json -u dev ls') });
  expect(verbFirst(words('--version'))).toEqual({ verb: undefined, rest: ['--version'] });
  expect(verbFirst([])).toEqual({ verb: undefined, rest: [] });
});

test.each([
  ['up', fastPathOptions.up, Up.flags],
  ['build', fastPathOptions.up, Build.flags],
  ['exec', fastPathOptions.exec, Exec.flags],
  ['run', fastPathOptions.run, Run.flags],
])('the fast path of %s knows the flags that oclif knows', (_verb, fast, slow) => {
  const kinds = Object.entries(slow)
    // These do more than what is warm: nothing to be fast about.
    .filter(([name]) => !['dry-run', 'run', 'watch', 'tag', 'push'].includes(name))
    .map(([name, { char, type }]) => [name, { type: type === 'boolean' ? 'boolean' : 'string', short: char }]);
  expect(Object.fromEntries(Object.entries(fast).map(([name, { type, short }]) => [name, { type, short }]))).toEqual(
    Object.fromEntries(kinds),
  );
});
