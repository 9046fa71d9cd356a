import { Writable } from 'node:stream';
import { UserError, type ErrorCode } from '@devenv/core';
import { expect, test } from 'vitest';
import type { SharedFlags } from './command-line.ts';
import type { Verb } from './exit-code.ts';
import { perform, type Core, type Host, type Work } from './perform.ts';

const flags: SharedFlags = { cwd: undefined, config: undefined, json: false, progress: 'plain', color: true, verbose: false };

test('data goes to stdout and messages to stderr', async () => {
  const result = await performed({ work: async () => ({ text: 'NAME  STATE', message: 'Ready', json: { a: 1 } }) });
  expect(result).toEqual({ exitCode: 0, stdout: 'NAME  STATE\n', stderr: 'Ready\n' });
});

test('an empty --config is a mistake, not the nearest file', async () => {
  const { exitCode, stderr } = await performed({ config: '', work: async () => ({}) });
  expect([exitCode, stderr]).toEqual([2, 'Error: --config names no file.\nHint: Write --config FILE, or leave it out.\n']);
});

test('--json ends stdout with one object instead of the text', async () => {
  const result = await performed({
    json: true,
    work: async () => ({ text: 'NAME  STATE', message: 'Ready', json: { environmentId: 'e1' } }),
  });
  expect(result).toEqual({ exitCode: 0, stdout: '{"schema":1,"outcome":"success","environmentId":"e1"}\n', stderr: 'Ready\n' });
});

test('--progress quiet leaves out the message', async () => {
  expect(await performed({ progress: 'quiet', work: async () => ({ message: 'Ready' }) })).toEqual({ exitCode: 0, stdout: '', stderr: '' });
});

test('--progress json writes every event and message as a JSON line', async () => {
  const { stderr } = await performed({
    progress: 'json',
    work: async ({ options }) => {
      options.report({ type: 'task', id: 'a', kind: 'step', title: 'npm ci', state: 'started' });
      return { message: 'Ready' };
    },
  });
  expect(
    stderr
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object),
  ).toEqual([
    { type: 'task', id: 'a', kind: 'step', title: 'npm ci', state: 'started' },
    { type: 'notice', level: 'info', message: 'Ready' },
  ]);
});

test('a failure is told on stderr, and with --json as an object on stdout too', async () => {
  const error = new UserError('IMAGE_NOT_FOUND', 'There is no image node:99.', { hint: 'Look at the tag.' });
  const stderr = 'Error: There is no image node:99.\nHint: Look at the tag.\n';
  expect(await performed({ work: () => Promise.reject(error) })).toEqual({ exitCode: 1, stdout: '', stderr });
  const { stdout, ...rest } = await performed({ json: true, work: () => Promise.reject(error) });
  expect(rest).toEqual({ exitCode: 1, stderr });
  expect(JSON.parse(stdout)).toEqual({
    schema: 1,
    outcome: 'error',
    code: 'IMAGE_NOT_FOUND',
    message: 'There is no image node:99.',
    hint: 'Look at the tag.',
    problems: [],
  });
});

test('with --progress json a failure is a JSON line, once', async () => {
  const fail: Work = () => Promise.reject(new UserError('NOT_RUNNING', 'It is not running.'));
  const line = '{"schema":1,"outcome":"error","code":"NOT_RUNNING","message":"It is not running.","problems":[]}\n';
  expect(await performed({ progress: 'json', work: fail })).toEqual({ exitCode: 1, stdout: '', stderr: line });
  expect(await performed({ progress: 'json', json: true, work: fail })).toEqual({ exitCode: 1, stdout: line, stderr: '' });
});

test("the error names the failed task's log when the error itself does not", async () => {
  const { stderr } = await performed({
    work: async ({ options }) => {
      options.report({ type: 'task', id: 'a', kind: 'step', title: 'npm ci', state: 'started' });
      options.report({ type: 'task', id: 'a', kind: 'step', title: 'npm ci', state: 'failed', seconds: 1, log: '/state/logs/a.log' });
      throw new UserError('STEP_FAILED', 'npm ci ended with exit code 1.');
    },
  });
  expect(stderr).toBe('[step] npm ci\n[step] npm ci failed 1.0 s\nError: npm ci ended with exit code 1.\nLog: /state/logs/a.log\n');
});

test('a mistake of devenv is told without its stack, which --verbose and DEVENV_DEBUG show', async () => {
  const work: Work = () => Promise.reject(new TypeError('x is not a function'));
  const { stderr, exitCode } = await performed({ work });
  expect({ stderr, exitCode }).toEqual({
    exitCode: 1,
    stderr: 'Sorry, devenv made a mistake: x is not a function\nPlease report it, with the output of the same command with --verbose.\n',
  });
  expect((await performed({ verbose: true, work })).stderr).toContain('perform.test.ts');
  expect((await performed({ env: { DEVENV_DEBUG: '1' }, work })).stderr).toContain('perform.test.ts');
});

test('a core that cannot be loaded is told like any other mistake', async () => {
  const { exitCode, stderr } = await performed({ core: () => Promise.reject(new Error('koffi is missing')), work: async () => ({}) });
  expect({ exitCode, stderr }).toEqual({ exitCode: 1, stderr: expect.stringContaining('koffi is missing') as string });
});

test.each<[Verb, ErrorCode, number]>([
  ['up', 'CONFIG_INVALID', 2],
  ['up', 'STEP_FAILED', 1],
  ['up', 'CANCELLED', 130],
  ['shell', 'NOT_RUNNING', 1],
  ['exec', 'NOT_RUNNING', 125],
  ['exec', 'CONFIG_INVALID', 125],
  ['exec', 'USAGE', 125],
  ['exec', 'COMMAND_NOT_EXECUTABLE', 126],
  ['exec', 'COMMAND_NOT_FOUND', 127],
  ['run', 'STEP_FAILED', 125],
  ['run', 'CANCELLED', 130],
])('%s that fails with %s exits with %i', async (verb, code, exitCode) => {
  const result = await performed({ verb, work: () => Promise.reject(new UserError(code, 'No.')) });
  expect(result.exitCode).toBe(exitCode);
});

test("a mistake of devenv under exec is not taken for the command's own exit code", async () => {
  expect((await performed({ verb: 'exec', work: () => Promise.reject(new Error('oops')) })).exitCode).toBe(125);
});

test('-C names the directory to start from, and one that is absent is an error of usage', async () => {
  let cwd = '';
  await performed({ cwd: 'usr/..', work: async ({ options }) => ((cwd = options.cwd), {}) });
  expect(cwd).toBe('/');
  expect(await performed({ cwd: 'no-such-directory', work: async () => ({}) })).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('/no-such-directory') as string,
  });
});

test('colours are written only when asked for', async () => {
  const work: Work = () => Promise.reject(new UserError('NOT_RUNNING', 'No.'));
  const red = '\u001B[31mError:\u001B[39m No.\n';
  expect((await performed({ env: { FORCE_COLOR: '1' }, work })).stderr).toBe(red);
  expect((await performed({ env: { FORCE_COLOR: '1' }, color: false, work })).stderr).toBe('Error: No.\n');
  expect((await performed({ env: { FORCE_COLOR: '1', NO_COLOR: '1' }, work })).stderr).toBe('Error: No.\n');
  expect((await performed({ work })).stderr).toBe('Error: No.\n');
});

test('in GitHub Actions every problem is pinned to its line', async () => {
  const problem = {
    code: 'UNKNOWN_KEY',
    message: '100% wrong:\n"stepz"',
    file: '/repository/a,b/devenv.json',
    line: 3,
    column: 5,
  } as const;
  const work: Work = () => Promise.reject(new UserError('CONFIG_INVALID', 'devenv.json has a mistake.', { problems: [problem] }));
  const { stderr } = await performed({ env: { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: '/repository' }, work });
  expect(stderr).toContain('\n::error file=a%2Cb/devenv.json,line=3,col=5,title=UNKNOWN_KEY::100%25 wrong:%0A"stepz"\n');
});

test('in GitHub Actions a step that failed is pinned to where it is written', async () => {
  const place = { file: '/repository/devenv.json', line: 7, column: 5 };
  const work: Work = () => Promise.reject(new UserError('STEP_FAILED', 'The step "x" ended with exit code 1.', { place }));
  const { stderr } = await performed({ env: { GITHUB_ACTIONS: 'true', GITHUB_WORKSPACE: '/repository' }, work });
  expect(stderr).toBe(
    'Error: The step "x" ended with exit code 1.\nAt: repository/devenv.json:7:5\n' +
      '::error file=devenv.json,line=7,col=5,title=STEP_FAILED::The step "x" ended with exit code 1.\n',
  );
});

test('in GitHub Actions secrets are masked, each once and before all else; nowhere else are they told', async () => {
  const work: Work = async ({ options }) => {
    for (const value of ['s3cret', '', 's3cret']) options.onSecret?.(value);
    return { message: 'Ready' };
  };
  expect((await performed({ progress: 'auto', env: { GITHUB_ACTIONS: 'true' }, work })).stderr).toBe('::add-mask::s3cret\nReady\n');
  expect((await performed({ progress: 'json', env: { GITHUB_ACTIONS: 'true' }, work })).stderr).not.toContain('s3cret');
  expect((await performed({ progress: 'auto', env: { GITLAB_CI: 'true' }, work })).stderr).toBe('Ready\n');
});

test('a reader of stdout that went away is no error', async () => {
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('closed'), { code: 'EPIPE' })) });
  const exitCode = await perform('ps', flags, async () => ({ text: 'NAME' }), host({ stdout }));
  expect(exitCode).toBe(0);
});

type Case = Partial<SharedFlags> & {
  readonly verb?: Verb;
  readonly work: Work;
  readonly env?: Record<string, string>;
  readonly core?: () => Promise<Core>;
};

async function performed({
  verb = 'up',
  work,
  env = {},
  core,
  ...some
}: Case): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  const stdout = new Text();
  const stderr = new Text();
  const exitCode = await perform(verb, { ...flags, ...some }, work, host({ stdout, stderr, env, ...(core ? { core } : {}) }));
  return { exitCode, stdout: stdout.text, stderr: stderr.text };
}

function host(some: { stdout?: Writable; stderr?: Writable; env?: Record<string, string>; core?: () => Promise<Core> }): Host {
  return {
    env: {},
    cwd: '/',
    stdout: new Text(),
    stderr: new Text(),
    core: async () => ({ UserError }) as unknown as Core,
    ...some,
  } as Host;
}

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}
