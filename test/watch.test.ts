import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, launcher, makeRig, traces, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

/** Starts devenv and collects what it says. */
function start(args: readonly string[], cwd: string): { said: () => string; child: ReturnType<typeof spawn> } {
  const child = spawn(launcher, args, {
    cwd,
    env: { PATH: process.env['PATH'], HOME: rig.base, DEVENV_BASE_DIR: rig.base },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  return { said: () => said, child };
}

async function until(condition: () => boolean, what: () => string): Promise<void> {
  for (const end = Date.now() + 60_000; !condition(); await delay(50)) if (Date.now() > end) throw new Error(`waited in vain:\n${what()}`);
}

test('up --watch follows the file and the inputs of its steps, survives a mistake in between, and ends with Ctrl-C', async () => {
  const file = (greeting: string): string =>
    JSON.stringify({ image: debian, env: { GREETING: greeting }, steps: [{ name: 'copy', run: 'cp in.txt /out', inputs: ['in.txt'] }] });
  const cwd = rig.project({ 'devenv.json': file('one'), 'in.txt': 'first' });
  const { said, child } = start(['up', '--watch', '--progress', 'plain'], cwd);
  const rounds = (count: number) => until(() => said().split('Watching').length > count, said);
  await rounds(1);
  writeFileSync(join(cwd, 'in.txt'), 'second');
  await rounds(2);
  expect((await rig.ok(['exec', 'cat', '/out'], { cwd })).stdout).toBe('second');
  writeFileSync(join(cwd, 'devenv.json'), '{ "image": ');
  await until(() => said().includes('SYNTAX') || said().includes('mistake'), said);
  writeFileSync(join(cwd, 'devenv.json'), file('two'));
  await rounds(3);
  expect((await rig.ok(['exec', 'sh', '-c', 'echo $GREETING'], { cwd })).stdout).toBe('two\n');
  child.kill('SIGINT');
  expect(await once(child, 'close')).toEqual([0, null]);
  await rig.ok(['exec', 'true'], { cwd });
});

test('up --run runs the command, waits for its health check, shows its log; a command that is not healthy fails up', async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      command: 'echo serving; sleep 0.5; touch /tmp/ready; exec sleep 1000',
      healthcheck: { test: 'test -e /tmp/ready', startPeriod: '20s' },
    },
  });
  await rig.ok(['up', '--run'], { cwd });
  await rig.ok(['exec', 'test', '-e', '/tmp/ready'], { cwd });
  expect((await rig.ok(['status', '--json'], { cwd })).json).toMatchObject({ state: 'running', healthy: true, stale: false });
  expect((await rig.ok(['logs'], { cwd })).stdout).toBe('serving\n');
  await rig.ok(['exec', '-u', 'root', 'rm', '/tmp/ready'], { cwd });
  expect((await rig.ok(['status', '--json'], { cwd })).json).toMatchObject({ healthy: false });

  const sick = rig.project({
    'devenv.json': { image: debian, command: 'echo cannot start; exit 3', healthcheck: { test: 'false', interval: '1s', retries: 2 } },
  });
  const result = await rig.devenv(['up', '--run', '--json'], { cwd: sick });
  expect([result.exitCode, result.json['code']]).toEqual([1, 'UNHEALTHY']);
  expect((await rig.ok(['logs'], { cwd: sick })).stdout).toBe('cannot start\n');
});

test('what a killed run leaves, the next command removes', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian } });
  const { child } = start(['run', '--', 'sleep', '1000'], cwd);
  const containers = (): string[] => readdirSync(join(rig.base, 'data/containers')).filter((name) => name.includes('-run-'));
  await until(
    () => containers().some((id) => traces(id).some((trace) => trace.includes('sleep'))) || containers().length > 0,
    () => containers().join(),
  );
  await delay(1500);
  child.kill('SIGKILL');
  await once(child, 'exit'); // the runtime's process still holds the pipes
  const [id] = containers();
  await rig.ok(['ps'], { cwd });
  expect(containers()).toEqual([]);
  expect(traces(id!)).toEqual([]);
});
