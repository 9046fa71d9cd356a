import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { debian, launcher, makeEmptyRig, makeRig, traces, type Rig } from './rig.ts';
import { writeBusyboxTree } from './tiny-image.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());
beforeEach(() => mkdirSync(join(rig.base, 'home'), { recursive: true }));

interface Collected {
  readonly freedBytes: number;
  readonly removed: { readonly layers: { readonly count: number }; readonly environments: readonly object[]; readonly lockFiles: number };
  readonly lost: readonly { readonly configFile: string }[];
}
const collect = async (...args: readonly string[]): Promise<Collected> =>
  (await rig.ok(['gc', '--json', ...args])).json as unknown as Collected;
const layers = (): readonly string[] => readdirSync(join(rig.base, 'data/layers')).toSorted();
const isWhole = async (...args: readonly string[]): Promise<void> => {
  expect((await rig.devenv(['doctor', '--store', '--json', ...args])).json).toMatchObject({ damages: [] });
};
const steps = (...texts: readonly string[]): object => ({ image: debian, steps: texts.map((run) => ({ run })) });
const change = (cwd: string, config: object): void => writeFileSync(join(cwd, 'devenv.json'), JSON.stringify(config));

test('gc names environments whose folder is gone, and removes them with their volumes when asked', async () => {
  await using own = await makeRig();
  const cwd = own.project({ 'devenv.json': { image: debian, mounts: [{ type: 'volume', source: 'data', target: '/data' }] } });
  const { containerId } = (await own.ok(['up', '--json'], { cwd })).json as { containerId: string };
  rmSync(cwd, { recursive: true });
  const named = (await own.ok(['gc', '--json'])).json as unknown as Collected;
  expect(named.lost).toEqual([expect.objectContaining({ configFile: join(cwd, 'devenv.json') })]);
  expect((await own.ok(['gc'])).stdout).toContain(`devenv down --config ${join(cwd, 'devenv.json')}`);
  const removed = (await own.ok(['gc', '--lost', '--json'])).json as unknown as Collected;
  expect(removed).toMatchObject({ lost: [], removed: { environments: [{}], layers: { count: 1 } } });
  expect([traces(containerId), readdirSync(join(own.base, 'data/volumes'))]).toEqual([[], []]);
});

test('gc takes nothing from a build under way, which goes on, and one that is killed leaves a whole store', async () => {
  await using own = await makeRig();
  const cwd = own.project({ 'devenv.json': steps('echo first > /first', 'sleep 5.25; cat /first > /second') });
  const building = own.ok(['build'], { cwd });
  await expect.poll(() => traces('sleep 5.25').length, { timeout: 60_000 }).toBeGreaterThan(0);
  const collecting = own.ok(['gc', '--json'], { cwd });
  await building;
  expect((await collecting).stderr).toMatch(/Waiting until devenv build \(process \d+\)/);
  // Nothing needs what `build` alone made, so gc may have taken it all, or begun: kill the next one at some moments.
  for (const moment of [100, 200, 350]) {
    await own.ok(['build'], { cwd: own.project({ 'devenv.json': { image: 'scratch', steps: manySteps(moment) } }) });
    const child = spawn(launcher, ['gc'], { env: { PATH: process.env['PATH'], HOME: own.base, DEVENV_BASE_DIR: own.base } });
    const closed = once(child, 'close'); // it may be over before its moment comes
    await delay(moment);
    child.kill('SIGKILL');
    await closed;
    expect((await own.devenv(['doctor', '--store', '--json'])).json).toMatchObject({ damages: [] });
  }
  await own.ok(['gc']);
  for (const folder of ['layers', 'layer-info', 'step-keys']) expect(readdirSync(join(own.base, 'data', folder))).toEqual([]);
  expect(existsSync(join(own.base, 'data/trash'))).toBe(false);
});

test('logs of what failed long ago, downloads, step caches that no file names, and lock files go', async () => {
  await using own = await makeRig();
  const cwd = own.project({
    'devenv.json': { image: debian, steps: [{ run: 'touch /var/cache/kept/file; exit 1', cache: ['/var/cache/kept'] }] },
  });
  await own.devenv(['up'], { cwd });
  const logs = join(own.base, 'state/logs/steps');
  const log = join(logs, readdirSync(logs)[0]!);
  await own.ok(['gc']);
  expect(existsSync(log)).toBe(true);
  const old = new Date(Date.now() - 40 * 86_400_000);
  utimesSync(log, old, old);
  const download = join(own.base, 'cache/downloads/half');
  mkdirSync(join(download, '..'), { recursive: true });
  writeFileSync(download, 'x'.repeat(10_000));
  utimesSync(download, old, old);
  expect((await own.ok(['gc'])).stdout).toMatch(/^Freed .*cache.*1 old log/);
  expect([existsSync(log), existsSync(download), readdirSync(join(own.base, 'runtime/keys'))]).toEqual([false, false, []]);
});

test('doctor --store tells what was damaged, and drops it so that up makes it again', async () => {
  await using own = await makeRig();
  const cwd = own.project({ 'devenv.json': steps('echo one > /one', 'echo two > /two') });
  await own.ok(['build'], { cwd });
  const one = readdirSync(join(own.base, 'data/layers')).find((id) => existsSync(join(own.base, 'data/layers', id, 'one')))!;
  writeFileSync(join(own.base, 'data/layers', one, 'one'), 'changed by hand\n');
  const told = await own.devenv(['doctor', '--store'], { cwd });
  expect([told.exitCode, told.stdout]).toEqual([1, expect.stringMatching(/1 problem[^]*layer \w+: one has another[^]*--repair/)]);
  expect((await own.ok(['doctor', '--store', '--repair', '--json'])).json).toMatchObject({ repaired: true });
  await own.ok(['doctor', '--store']);
  expect((await own.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 2 });
  expect((await own.ok(['exec', 'cat', '/one', '/two'], { cwd })).stdout).toBe('one\ntwo\n');
});

test('doctor --store names the images that go with what was damaged, and how a container of run that stands on it is stopped', async () => {
  await using own = await makeEmptyRig();
  mkdirSync(join(own.base, 'root'));
  writeBusyboxTree(join(own.base, 'root'));
  await own.ok(['import', join(own.base, 'root'), 'busy:1'], { cwd: own.base });
  await own.ok(['tag', 'busy:1', 'busy:2']);
  await own.ok(['run', '-d', '--name', 'stands', 'busy:1', 'sleep', '900'], { cwd: own.base });
  const [layer] = readdirSync(join(own.base, 'data/layers'));
  writeFileSync(join(own.base, 'data/layers', layer!, 'etc/passwd'), 'changed by hand\n');
  const told = await own.devenv(['doctor', '--store']);
  expect([told.exitCode, told.stdout]).toEqual([
    1,
    expect.stringMatching(/With it goes: image busy:1, image busy:2 · pull, load or import/),
  ]);
  const runs = await own.devenv(['doctor', '--store', '--repair']);
  expect([runs.exitCode, runs.stdout]).toEqual([1, expect.stringMatching(/container stands runs on it: devenv stop stands, then again/)]);
  expect(runs.stdout).not.toMatch(/Gone with it/);
  await own.ok(['rm', '-f', 'stands']);
  const { json } = await own.ok(['doctor', '--store', '--repair', '--json']);
  expect([json['lostImages'], json['repaired']]).toEqual([['busy:1', 'busy:2'], true]);
  expect((await own.ok(['images', '--json'])).json['images']).toEqual([]);
});

test('stats and du tell of each environment what it uses and takes', async () => {
  await using own = await makeRig();
  const config = { ...steps('head -c 3000000 /dev/zero > /own'), limits: { memory: '128m', pids: 64, cpus: 0.5 } };
  const cwd = own.project({ 'devenv.json': config });
  const { environmentId } = (await own.ok(['up', '--json'], { cwd })).json as { environmentId: string };
  await own.ok(['up'], { cwd: own.project({ 'devenv.json': { image: debian } }) }); // shares the base
  await own.ok(['exec', 'sh', '-c', 'head -c 2000000 /dev/zero > /changed'], { cwd });
  const { environments } = (await own.ok(['stats', '--json'])).json as { environments: { environmentId: string }[] };
  const use = environments.find((each) => each.environmentId === environmentId);
  expect(use).toMatchObject({ memoryLimit: 134_217_728, pidsLimit: 64, cpuLimit: 0.5, pids: expect.any(Number), cpus: expect.any(Number) });
  expect((await own.ok(['stats'])).stdout).toMatch(/^NAME .*MEMORY[^]*\/ 134 MB/);
  const usage = (await own.ok(['du', '--json'])).json as { environments: { environmentId: string; changesBytes: number }[] };
  const taken = usage.environments.find((each) => each.environmentId === environmentId)!;
  expect(taken).toMatchObject({ ownBytes: 3_000_000 });
  expect(taken.changesBytes).toBeGreaterThanOrEqual(2_000_000);
  expect((await own.ok(['du'])).stdout).toMatch(/^NAME .*OWN[^]*total .*devenv gc would free/);
});

test('gc frees what no environment needs, says so first when asked, and leaves what stopped and running ones stand on', async () => {
  const running = rig.project({ 'devenv.json': steps('echo shared > /shared', 'echo old > /file') });
  await rig.ok(['up'], { cwd: running });
  change(running, steps('echo shared > /shared', 'echo new > /file'));
  await rig.ok(['up'], { cwd: running });
  const stopped = rig.project({ 'devenv.json': steps('echo shared > /shared', 'echo other > /other') });
  await rig.ok(['up'], { cwd: stopped });
  await rig.ok(['stop'], { cwd: stopped });
  // The file asks for something else now: what was built for it before it failed is of use.
  change(stopped, steps('echo shared > /shared', 'echo half > /half', 'false'));
  await rig.devenv(['up'], { cwd: stopped });

  const before = layers();
  expect((await collect('--dry-run')).removed.layers.count).toBe(1);
  expect(layers()).toEqual(before);
  expect((await rig.ok(['gc'])).stdout).toMatch(/^Freed 4 B: 1 layer \(4 B\)/);
  expect(layers().length).toBe(before.length - 1);
  await isWhole('--deep');
  expect((await rig.ok(['exec', 'cat', '/file', '/shared'], { cwd: running })).stdout).toBe('new\nshared\n');
  change(stopped, steps('echo shared > /shared', 'echo half > /half'));
  expect((await rig.ok(['up', '--json'], { cwd: stopped })).json).toMatchObject({ built: 0, cached: 2 });

  for (const cwd of [running, stopped]) await rig.ok(['down'], { cwd });
  expect((await collect('--max-size', '100GB')).removed.layers.count).toBe(0);
  expect((await collect('--older-than', '1d')).removed.layers.count).toBe(0);
  const rest = await collect('--max-size', '100MB'); // everything but the base is cheap, and that is larger
  expect([rest.removed.layers.count, layers()]).toEqual([before.length - 1, []]);
  await isWhole();
  expect((await rig.devenv(['gc', '--max-size', 'much'])).exitCode).toBe(2);
});

/** Steps of a base of nothing, each a layer of its own. */
function manySteps(seed: number): readonly object[] {
  return Array.from({ length: 12 }, (_, index) => ({ copy: 'devenv.json', to: `/${seed}/${index}` }));
}
