import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

test('the first Ctrl-C aborts the work, says so, and ends with 130', async () => {
  expect(await run('up', waitForAbort, ['SIGINT'])).toEqual({
    code: 130,
    stderr: 'ready\nStopping… press Ctrl-C again to stop at once\ntidied\nStopped.\n',
  });
});

test('SIGTERM does the same and ends with 143', async () => {
  expect(await run('exec', waitForAbort, ['SIGTERM'])).toEqual({ code: 143, stderr: 'ready\nStopping…\ntidied\nStopped.\n' });
});

test('who only watches stops nothing, and is told nothing', async () => {
  expect(await run('logs', waitForAbort, ['SIGINT'])).toEqual({ code: 130, stderr: 'ready\ntidied\n' });
});

test('a second Ctrl-C ends at once', async () => {
  expect(await run('up', 'await forever', ['SIGINT', 'SIGINT'])).toEqual({
    code: 130,
    stderr: 'ready\nStopping… press Ctrl-C again to stop at once\n',
  });
});

test('while core forwards signals to a command, they are the command’s', async () => {
  const forwards = `process.once('SIGINT', () => finish({ exitCode: 42 })); await forever`;
  expect(await run('run', forwards, ['SIGINT'])).toEqual({ code: 42, stderr: 'ready\n' });
});

const waitForAbort = `
  await new Promise((done) => options.signal.addEventListener('abort', done));
  process.stderr.write('tidied\\n');
  options.signal.throwIfAborted()`;

/** Runs `work` in a process of its own, sends it one signal after another each time it has written, and waits for its end. */
async function run(verb: string, work: string, signals: NodeJS.Signals[]): Promise<{ code: number | null; stderr: string }> {
  const script = `
    import { perform, processHost } from ${JSON.stringify(new URL('perform.ts', import.meta.url).href)};
    class UserError extends Error {}
    const flags = { json: false, progress: 'plain', color: false, verbose: false };
    const alive = setInterval(() => {}, 1000);
    const code = await perform(${JSON.stringify(verb)}, flags, ({ options }) => new Promise((finish, reject) => {
      const forever = new Promise(() => {});
      (async () => { ${work} })().catch(reject);
      process.stderr.write('ready\\n');
    }), { ...processHost, core: async () => ({ UserError }) });
    process.exit(code);`;
  const child = spawn(process.execPath, ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    const next = signals.shift();
    if (next) child.kill(next);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}
