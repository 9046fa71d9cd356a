import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, traces, type Rig } from './rig.ts';

let rig: Rig;
let cwd: string;
beforeAll(async () => {
  rig = await makeRig();
  cwd = rig.project({ 'devenv.json': { image: debian } });
});
afterAll(() => rig[Symbol.asyncDispose]());

const base = { image: debian, user: 'dev', env: { GREETING: 'moin' } };
const write = (config: object): void => writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ ...base, ...config }));
const lines = (name: string): string[] => readFileSync(join(cwd, name), 'utf8').trimEnd().split('\n');

test('a failed hook fails up with its output, and runs again at the next up until it succeeds', async () => {
  write({ hooks: { create: 'echo out; echo problem >&2; echo tried >> tries.txt; test -e mended', start: 'echo started >> started.txt' } });
  const failed = await rig.devenv(['up', '--json'], { cwd });
  expect([failed.exitCode, failed.json['code']]).toEqual([1, 'HOOK_FAILED']);
  expect(failed.stderr).toMatch(/out[^]*problem/);
  expect(
    readFileSync(failed.json['log'] as string, 'utf8')
      .split('\n')
      .toSorted(),
  ).toEqual(['', 'out', 'problem']);
  expect((await rig.devenv(['status'], { cwd })).stdout).toContain('hooks: create has not run');
  expect((await rig.devenv(['up'], { cwd })).exitCode).toBe(1);
  writeFileSync(join(cwd, 'mended'), '');
  const mended = await rig.ok(['up', '--json'], { cwd });
  expect(mended.json['action']).toBe('updated');
  expect([lines('tries.txt').length, lines('started.txt')]).toEqual([3, ['started']]);
  expect((await rig.devenv(['status'], { cwd })).exitCode).toBe(0);
});

test('create runs once per container and again when its text changes; start at each start', async () => {
  rmSync(join(cwd, 'started.txt'));
  write({ hooks: { create: 'echo first >> created.txt', start: 'echo started >> started.txt' } });
  await rig.ok(['up'], { cwd });
  await rig.ok(['up'], { cwd });
  await rig.ok(['stop'], { cwd });
  await rig.ok(['status'], { cwd }); // nothing differs: the hooks of a start belong to the next one
  await rig.ok(['up'], { cwd });
  expect(lines('created.txt')).toEqual(['first']);
  expect(lines('started.txt')).toEqual(['started']);
  write({ hooks: { create: 'echo second >> created.txt', start: 'echo started >> started.txt' } });
  await rig.ok(['up'], { cwd });
  expect([lines('created.txt'), lines('started.txt')]).toEqual([['first', 'second'], ['started']]);
  await rig.ok(['down'], { cwd });
  await rig.ok(['up'], { cwd });
  expect([lines('created.txt'), lines('started.txt')]).toEqual([
    ['first', 'second', 'second'],
    ['started', 'started'],
  ]);
});

test("hooks run as the user, in the workspace, with the environment's variables; attach for each shell", async () => {
  write({ hooks: { attach: ['sh', '-c', 'echo $(id -un) $PWD $GREETING $HOME >> attached.txt'] } });
  await rig.ok(['up'], { cwd });
  await rig.ok(['shell'], { cwd, input: 'exit\n' });
  await rig.ok(['shell'], { cwd, input: 'exit\n' });
  await rig.ok(['exec', 'true'], { cwd });
  expect(lines('attached.txt')).toEqual(['dev /workspace moin /home/dev', 'dev /workspace moin /home/dev']);
});

test('hooks of an object run in parallel; one that fails is named, and the others run to their end', async () => {
  // Each waits for the other: one after the other they would not end.
  const wait = (mine: string, other: string): string =>
    `touch ${mine}; for i in $(seq 100); do [ -e ${other} ] && exit; sleep 0.1; done; exit 1`;
  write({ hooks: { create: { a: wait('a.txt', 'b.txt'), b: wait('b.txt', 'a.txt') } } });
  await rig.ok(['up'], { cwd });
  write({ hooks: { create: { good: 'sleep 0.5; echo done > good.txt', bad: 'echo from bad; exit 9' } } });
  const result = await rig.devenv(['up'], { cwd });
  expect([result.exitCode, result.stderr]).toEqual([1, expect.stringMatching(/from bad[^]*hook create bad[^]*exit code 9/)]);
  expect(lines('good.txt')).toEqual(['done']);
});

test('a hook whose command does not exist says so', async () => {
  write({ hooks: { start: ['no-such-command'] } });
  const result = await rig.devenv(['up'], { cwd });
  expect([result.exitCode > 0, result.stderr]).toEqual([true, expect.stringContaining('no-such-command')]);
  expect(result.stderr).not.toMatch(/ {4}at |mistake in devenv/);
});

test('a health check that fails fails up, and the next up too, until it succeeds', async () => {
  const healthcheck = { test: 'test -e /workspace/healthy', interval: '200ms', retries: 2 };
  write({ command: 'exec sleep 1000', healthcheck });
  for (const flags of [['--run'], []]) {
    const result = await rig.devenv(['up', '--json', ...flags], { cwd });
    expect([result.exitCode, result.json['code']]).toEqual([1, 'UNHEALTHY']);
  }
  expect((await rig.devenv(['status', '--json'], { cwd })).json).toMatchObject({ state: 'running', healthy: false });
  writeFileSync(join(cwd, 'healthy'), '');
  expect((await rig.ok(['up', '--json'], { cwd })).json['action']).toBe('unchanged');
});

test('Ctrl-C during a hook ends what the hook has started', async () => {
  const folder = rig.project({ 'devenv.json': { image: debian, hooks: { create: 'echo begun; sleep 31.7; echo never' } } });
  const interrupt = new AbortController();
  const running = rig.devenv(['up', '--progress', 'plain'], { cwd: folder, interrupt: interrupt.signal });
  for (let waited = 0; traces('sleep 31.7').length === 0 && waited < 300; waited++) await delay(100);
  interrupt.abort();
  expect((await running).exitCode).toBe(130);
  expect(traces('sleep 31.7')).toEqual([]);
});
