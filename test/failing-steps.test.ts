import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, traces, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

const steps = (...list: unknown[]): Record<string, unknown> => ({
  'devenv.json': { image: debian, steps: list },
  'data.txt': 'x',
  'src/main.c': 'int main(void){}',
});

test('a step that fails shows its output and its log, keeps the layers before it, and leaves nothing half-made', async () => {
  const cwd = rig.project(
    steps({ name: 'good', run: 'echo good > /good' }, { name: 'bad', run: 'echo before the end; echo to stderr >&2; touch /half; exit 3' }),
  );
  const result = await rig.devenv(['up', '--json'], { cwd });
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(/before the end/);
  expect(result.stderr).toMatch(/to stderr/);
  expect(result.json).toMatchObject({ outcome: 'error', code: 'STEP_FAILED', message: expect.stringContaining('"bad"') as string });
  const log = (result.json as { log: string }).log;
  expect(readFileSync(log, 'utf8')).toBe('before the end\nto stderr\n');
  expect(readdirSync(join(rig.base, 'data', 'drafts'))).toEqual([]);
  expect(traces(rig.base)).toEqual([]);
  const plan = (await rig.ok(['plan', '--json'], { cwd })).json as unknown as { steps: { state: string }[] };
  expect(plan.steps.map((step) => step.state)).toEqual(['cached', 'runs']);
});

test('a file of the workspace that is not declared is not there, and the message says what to add', async () => {
  const cwd = rig.project(steps({ name: 'reader', run: 'cat data.txt src/main.c' }));
  const result = await rig.devenv(['build'], { cwd });
  expect(result.exitCode).toBe(1);
  expect(result.stderr).toMatch(/"data\.txt", "src\/main\.c" .*"inputs"/);
});

test('a step sees its inputs in a folder of its own, may write beside them, and unchanged copies do not stay', async () => {
  const cwd = rig.project(
    steps(
      { name: 'list', run: 'find . -type f | sort > /seen; echo made > beside.txt; echo more >> src/main.c', inputs: ['src', 'data.txt'] },
      { name: 'after', run: 'find . -type f | sort > /left' },
    ),
  );
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'cat', '/seen', '/left'], { cwd })).stdout.split('\n')).toEqual([
    './data.txt',
    './src/main.c',
    './beside.txt',
    './src/main.c',
    '',
  ]);
});

test("only the declared environment is in a step: nothing of the caller's", async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      args: { FROM_ARGS: 'a' },
      certificates: false,
      env: { NOT_IN_STEPS: '1' },
      steps: [{ run: 'env | sort > /env', env: { OWN: 'o' } }],
    },
  });
  await rig.ok(['up'], { cwd, env: { LEAK: 'leak', USER: 'somebody' } });
  const { stdout } = await rig.ok(['exec', 'cat', '/env'], { cwd });
  expect(stdout.split('\n')).toEqual([
    'FROM_ARGS=a',
    'HOME=/root',
    'OWN=o',
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'PWD=/workspace',
    'SOURCE_DATE_EPOCH=1767225600',
    '',
  ]);
});

test('Ctrl-C during a step ends it, leaves no draft, process or mount, and the next build goes on', async () => {
  const cwd = rig.project(steps({ name: 'first', run: 'echo 1 > /first' }, { name: 'slow', run: 'echo started; sleep 60' }));
  const interrupt = new AbortController();
  const building = rig.devenv(['build', '--progress', 'plain'], { cwd, interrupt: interrupt.signal });
  const known = (): number => readdirSync(join(rig.base, 'data', 'step-keys')).length;
  for (const before = known(); known() === before;) await delay(20); // the first step is done, the second begins
  setTimeout(() => interrupt.abort(), 1000);
  const result = await building;
  expect(result.exitCode).toBe(130);
  expect(existsSync(join(rig.base, 'data', 'drafts')) ? readdirSync(join(rig.base, 'data', 'drafts')) : []).toEqual([]);
  expect(traces(join(rig.base, 'runtime/builds'))).toEqual([]);
  expect((await rig.ok(['plan', '--json'], { cwd })).json).toMatchObject({ steps: [{ state: 'cached' }, { state: 'runs' }] });
});
