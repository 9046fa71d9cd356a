import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

test('three ups at once make one container; all succeed and name it', async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      steps: [{ run: 'sleep 1; echo made > /made' }],
      hooks: { create: 'echo created >> /workspace/created.txt' },
    },
  });
  const results = await Promise.all([1, 2, 3].map(() => rig.ok(['up', '--json'], { cwd })));
  const ids = new Set(results.map(({ json }) => json['containerId']));
  expect(ids.size).toBe(1);
  expect(results.map(({ json }) => String(json['action'])).toSorted()).toEqual(['created', 'unchanged', 'unchanged']);
  expect(results.map(({ json }) => String(json['built'])).toSorted()).toEqual(['0', '0', '1']);
  const { environments } = (await rig.ok(['ps', '--json'], { cwd })).json as { environments: { containerId: string }[] };
  expect(environments.map(({ containerId }) => containerId)).toEqual([...ids]);
  expect(readFileSync(`${cwd}/created.txt`, 'utf8')).toBe('created\n');
});

test('two projects that build the same step at once run it once', async () => {
  const config = {
    image: debian,
    steps: [
      {
        name: 'count',
        run: 'echo counting; echo ran >> /var/cache/count/runs; sleep 2; cp /var/cache/count/runs /runs',
        cache: ['/var/cache/count'],
      },
    ],
  };
  const folders = [1, 2].map(() => rig.project({ 'devenv.json': config }));
  const results = await Promise.all(folders.map((cwd) => rig.ok(['up', '--json', '--progress', 'json'], { cwd })));
  expect(results.map(({ json }) => String(json['built'])).toSorted()).toEqual(['0', '1']);
  const waited = results.findIndex(({ json }) => String(json['built']) === '0');
  const told = results[waited]!.stderr.trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const waits = told.find(({ state }) => state === 'waiting');
  expect(waits).toMatchObject({ title: 'count', detail: expect.stringContaining(` in ${folders[1 - waited]}) is making it`) as string });
  expect(told).toContainEqual({ type: 'output', id: waits!['id'], text: 'counting\n' });
  for (const cwd of folders) expect((await rig.ok(['exec', 'cat', '/runs'], { cwd })).stdout).toBe('ran\n');
});

test('down, up and stop at once end in one of their states, with nothing half-made', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian } });
  await rig.ok(['up'], { cwd });
  const verbs = ['down', 'up', 'stop', 'up', 'down'];
  const results = await Promise.all(verbs.map((verb, index) => delay(index * 30).then(() => rig.devenv([verb], { cwd }))));
  expect(results.map(({ exitCode, stderr }) => (exitCode === 0 ? '' : stderr))).toEqual(verbs.map(() => ''));
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'echo', 'works'], { cwd })).stdout).toBe('works\n');
});
