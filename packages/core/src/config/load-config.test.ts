import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { printable } from '../base/code-frame.ts';
import { UserError } from '../base/errors.ts';
import type { Config } from './config.ts';
import { foldersUpwards } from './find-config.ts';
import { loadConfig } from './load-config.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-load-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('two spellings of one step are the same step', () => {
  const [first, second] = [
    '{ "run": "x", "inputs": ["./b", "a/", "!c"], "cache": ["/r//c/"] }',
    '{ "run": ["/bin/sh", "-c", "x"], "inputs": ["!./c", "a", "d/../b", "a"], "cache": ["/r/c"] }',
  ].map((step) => {
    const { name, place, ...rest } = load({ steps: [JSON.parse(step)] }).steps[0]!;
    expect([name.length > 0, place.line]).toEqual([true, 1]);
    return rest;
  });
  expect(first).toEqual(second);
});

test('a step is named after what it does', () => {
  const steps = [
    { run: '\n  make all\nmake install' },
    { run: ['npm', 'ci'] },
    { run: `echo ${'x'.repeat(100)}` },
    { copy: ['b', 'a'], to: '/x/' },
    { apt: ['git', 'curl', 'git'] },
    { env: { PATH: 'x', HOME: 'y' } },
    { run: 'x', name: 'mine' },
  ];
  const names = load({ steps }).steps.map((step) => step.name);
  expect(names).toEqual(['make all', 'npm ci', `echo ${'x'.repeat(34)}…`, 'copy a b', 'apt curl git', 'env PATH HOME', 'mine']);
});

test('paths of this machine start at the folder, or at the home of whoever calls', () => {
  const sources = ['data', '../up/', '/abs//x', '~', '~/x', '${workspaceFolder}/y', './~z'];
  const config = load({ mounts: sources.map((source, index) => ({ type: 'bind', source, target: `/m${index}` })) });
  const up = join(folder, '../up');
  expect(config.mounts.map((mount) => mount.type === 'bind' && mount.source)).toEqual([
    join(folder, 'data'),
    up,
    '/abs/x',
    '/home/me',
    '/home/me/x',
    join(folder, 'y'),
    join(folder, '~z'),
  ]);
});

test('a home that is not known is a mistake only where it is used', () => {
  const mounts = [{ type: 'bind', source: '~/x', target: '/x' }];
  write({ image: 'debian', mounts });
  expect(problems(() => loadConfig({ cwd: folder, env: {} }))).toEqual(['1:53 BAD_VALUE']);
});

test('a port stands for this machine only, unless the file says otherwise', () => {
  const ports = [
    3000,
    '80',
    '0:81',
    ':82',
    '8080:83/tcp',
    '8080:83/udp',
    '0.0.0.0:84:84',
    'localhost:85:85',
    '[::1]:86:86',
    '127.0.0.2:87',
  ];
  const read = load({ ports }).ports.map((port) => `${port.hostAddress} ${port.hostPort} ${port.containerPort} ${port.protocol}`);
  expect(read).toEqual([
    '127.0.0.1 3000 3000 tcp',
    '127.0.0.1 80 80 tcp',
    '127.0.0.1 0 81 tcp',
    '127.0.0.1 0 82 tcp',
    '127.0.0.1 8080 83 tcp',
    '127.0.0.1 8080 83 udp',
    '0.0.0.0 84 84 tcp',
    '127.0.0.1 85 85 tcp',
    '::1 86 86 tcp',
    '127.0.0.2 87 87 tcp',
  ]);
});

test('sizes and durations are read in every usual form', () => {
  const memory = (text: string | number) => load({ limits: { memory: text } }).limits.memory;
  expect(['512m', '2g', '1.5G', '2gb', '2GiB', '8388608', '8192 k', 8388608].map(memory)).toEqual([
    536870912,
    2 ** 31,
    1610612736,
    2 ** 31,
    2 ** 31,
    8388608,
    8388608,
    8388608,
  ]);
  const interval = (value: string | number) => load({ healthcheck: { test: 'x', interval: value } }).healthcheck!.intervalSeconds;
  expect(['30s', '1m', '1m30s', '500ms', '1.5h', 7].map(interval)).toEqual([30, 60, 90, 0.5, 5400, 7]);
});

test('a health check takes a text, arguments, or the form of an image', () => {
  const read = (value: unknown) => load({ healthcheck: { test: value } }).healthcheck!.test;
  expect([read('curl x'), read(['curl', 'x']), read(['CMD', 'x']), read(['CMD-SHELL', 'x']), read(['NONE'])]).toEqual([
    ['CMD-SHELL', 'curl x'],
    ['CMD', 'curl', 'x'],
    ['CMD', 'x'],
    ['CMD-SHELL', 'x'],
    ['NONE'],
  ]);
});

test('capabilities are spelled as the runtime spells them', () => {
  expect(load({ security: { capAdd: ['sys_ptrace', 'CAP_NET_ADMIN', 'SYS_PTRACE'], capDrop: ['all'] } }).security).toMatchObject({
    capAdd: ['CAP_NET_ADMIN', 'CAP_SYS_PTRACE'],
    capDrop: ['ALL'],
  });
});

test('devenv.json may have a byte order mark, comments, trailing commas and any line ends', () => {
  writeFileSync(join(folder, 'devenv.json'), '\ufeff{\r\n  // base\r\n  "image": "debian", /* x */\r\n  "prots": [],\r\n}\r\n');
  expect(problems(() => load())).toEqual(['4:3 UNKNOWN_KEY']);
});

test('what a variable brings is checked as if it were written there', () => {
  write({ image: 'debian', ports: ['${localEnv:PORT}:80'] });
  expect(problems(() => loadConfig({ cwd: folder, env: { PORT: 'x' } }))).toEqual(['1:28 BAD_VALUE']);
  expect(loadConfig({ cwd: folder, env: { PORT: '8080' } }).ports).toMatchObject([{ hostPort: 8080 }]);
});

test('a mistake of devenv.json is found also where devenv.local.json lies over it, once and at its place', () => {
  const lines = [
    '{ "image": "debian",',
    '  "ports": "x", "prots": [],',
    '  "limits": { "memory": "lots", "cpus": 0 },',
    '  "mounts": [{ "type": "volume", "source": "a", "target": "b" }],',
    '  "command": 7 }',
  ];
  writeFileSync(join(folder, 'devenv.json'), lines.join('\n'));
  const alone = problems(() => load());
  expect(alone).toEqual(['2:12 WRONG_TYPE', '2:17 UNKNOWN_KEY', '3:25 BAD_VALUE', '3:41 BAD_VALUE', '4:59 BAD_VALUE', '5:14 WRONG_TYPE']);
  const over = { ports: [4567], limits: { memory: '1g' }, mounts: null, command: 'x' };
  writeFileSync(join(folder, 'devenv.local.json'), JSON.stringify(over));
  expect(problems(() => load())).toEqual(alone);
  expect(failure(() => load()).message).toBe('devenv.json has 6 mistakes');
});

test('devenv.local.json may replace what is no good on this machine, and add what is missing', () => {
  const limits = { memory: '${localEnv:SIZE}' };
  write({ image: 'debian', limits, env: { TOKEN: '${localEnv:TOKEN}' }, healthcheck: { interval: 5 }, security: { seccomp: '~/x.json' } });
  const local = { security: { seccomp: 'default' }, limits: { memory: '1g' }, env: { TOKEN: 'x' }, healthcheck: { test: 'y' } };
  writeFileSync(join(folder, 'devenv.local.json'), JSON.stringify(local));
  expect(loadConfig({ cwd: folder, env: { SIZE: 'lots' } })).toMatchObject({ limits: { memory: 2 ** 30 }, env: { TOKEN: 'x' } });
});

test('a value of the environment is never read as a variable', () => {
  write({ image: 'debian', labels: { x: '${localEnv:EVIL}' } });
  expect(loadConfig({ cwd: folder, env: { EVIL: '${localEnv:SECRET}', SECRET: 's' } }).labels).toEqual({ x: '${localEnv:SECRET}' });
});

test('names that mean something to JavaScript are only names', () => {
  writeFileSync(
    join(folder, 'devenv.json'),
    '{ "image": "debian", "env": { "__proto__": "x", "constructor": "y" }, "labels": { "toString": "z" } }',
  );
  writeFileSync(
    join(folder, 'devenv.local.json'),
    '{ "env": { "__proto__": "local" }, "customizations": { "__proto__": { "polluted": true } } }',
  );
  const config = loadConfig({ cwd: folder, env: {} });
  expect(Object.entries(config.env)).toEqual([
    ['__proto__', 'local'],
    ['constructor', 'y'],
  ]);
  expect(({} as Record<string, unknown>)['polluted']).toBe(undefined);
  writeFileSync(join(folder, 'devenv.json'), '{ "image": "debian", "constructor": 1, "__proto__": 2 }');
  expect(problems(() => load())).toEqual(['1:22 UNKNOWN_KEY', '1:40 UNKNOWN_KEY']);
});

test('hostile text ends in a report, quickly', () => {
  const texts = [
    '['.repeat(200_000),
    '{"a":'.repeat(200_000),
    `{ "image": "debian", "customizations": ${'{"a":'.repeat(100)}1${'}'.repeat(100)} }`,
    `"${'x'.repeat(2_000_000)}"`,
    '\0',
    `{"image": "${'a-'.repeat(5000)}"}`,
  ];
  for (const text of texts) {
    writeFileSync(join(folder, 'devenv.json'), text);
    const started = performance.now();
    expect(problems(() => load())).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(2000);
  }
});

test('a report cannot command the terminal', () => {
  writeFileSync(join(folder, 'devenv.json'), '{ "image": "debian", "\\u001b[31mred\\u202e": 1 } // \u001b[2J');
  const error = failure(() => load());
  const shown = error.problems.flatMap(({ message, hint, frame }) => [message, hint, ...frame!.split('\n')]).join(' ');
  expect(shown).toBe(printable(shown));
});

test('without a file the error says where it looked and how one looks', () => {
  mkdirSync(join(folder, 'a'));
  const error = failure(() => loadConfig({ cwd: join(folder, 'a'), env: {} }));
  expect(error.code).toBe('CONFIG_NOT_FOUND');
  expect(error.message).toBe(`There is no devenv.json in ${foldersUpwards(join(folder, 'a')).join(', ')}`);
  writeFileSync(join(folder, 'devenv.json'), error.hint!.slice(error.hint!.indexOf('{')));
  expect(loadConfig({ cwd: join(folder, 'a'), env: {} }).base.kind).toBe('debian');
  expect(failure(() => loadConfig({ cwd: folder, configFile: 'x.json', env: {} }))).toMatchObject({ code: 'CONFIG_NOT_FOUND' });
});

test('a configuration that is no file is said to be none, and is not passed over', () => {
  writeFileSync(join(folder, 'devenv.json'), '{ "image": "debian" }');
  mkdirSync(join(folder, 'a/devenv.json'), { recursive: true });
  expect(failure(() => loadConfig({ cwd: join(folder, 'a'), env: {} }))).toMatchObject({
    code: 'CONFIG_INVALID',
    message: `${join(folder, 'a/devenv.json')} is a directory, not a file`,
  });
  symlinkSync('nowhere', join(folder, 'devenv.local.json'));
  expect(failure(() => load())).toMatchObject({ message: `${join(folder, 'devenv.local.json')} is a broken link` });
});

function write(config: object): void {
  writeFileSync(join(folder, 'devenv.json'), JSON.stringify(config));
}

function load(config?: object): Config {
  if (config) write({ image: 'debian', ...config });
  return loadConfig({ cwd: folder, env: { HOME: '/home/me' } });
}

function failure(act: () => unknown): UserError {
  try {
    act();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

function problems(act: () => unknown): readonly string[] {
  return failure(act).problems.map(({ line, column, code }) => `${line}:${column} ${code}`);
}
