import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test, vi } from 'vitest';
import { identify, isAlive, isEnding } from './living-process.ts';

function run(program: string, ...args: string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

const childOf = (pid: number): Promise<number> =>
  vi.waitFor(() => {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    expect(readFileSync(`/proc/${child}/cmdline`, 'utf8')).toContain('sleep');
    return Number(child);
  });

test('what runs is alive, what has ended is not', async () => {
  const sleep = run('sleep', '600');
  const known = identify(sleep.pid!);
  expect([isAlive(known), isEnding(known)]).toEqual([true, false]);
  sleep.kill('SIGKILL');
  await once(sleep, 'exit');
  expect([isAlive(known), isEnding(known)]).toEqual([false, true]);
});

test('the first process of a namespace that waits for others in it is alive, and ending', async () => {
  const namespace = run('unshare', '--user', '--map-root-user', '--pid', '--fork', 'sleep', '600');
  const init = identify(await childOf(namespace.pid!));
  const other = run('nsenter', `--target=${init.pid}`, '--user', '--preserve-credentials', '--pid', 'sleep', '600');
  await childOf(other.pid!);
  other.kill('SIGSTOP'); // it does not reap
  expect(isEnding(init)).toBe(false);
  process.kill(init.pid, 'SIGKILL');
  await vi.waitFor(() => expect(isEnding(init)).toBe(true));
  expect(isAlive(init)).toBe(true);
  other.kill('SIGCONT');
  await vi.waitFor(() => expect(isAlive(init)).toBe(false));
});
