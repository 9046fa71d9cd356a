import { appendFileSync, chmodSync, cpSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
let folder: string;
const file = {
  name: 'cached',
  image: debian,
  steps: [
    { name: 'one', run: 'cat a.txt > /one', inputs: ['a.txt'] },
    { name: 'two', run: 'cat src/b.txt > /two', inputs: ['src'] },
    { name: 'three', run: 'echo 3 > /three' },
  ],
};

beforeAll(async () => {
  rig = await makeRig();
  folder = rig.project({ 'devenv.json': file, 'a.txt': 'a', 'src/b.txt': 'b', 'other.txt': 'not an input' }, 'cached');
  await rig.ok(['build'], { cwd: folder });
});
afterAll(() => rig[Symbol.asyncDispose]());

const built = async (cwd: string, env: Record<string, string> = {}): Promise<unknown> => {
  const { json } = await rig.ok(['build', '--json'], { cwd, env });
  return [json['built'], json['cached']];
};

test('nothing runs again: after touching a file, changing one that is no input, or a mode that git does not keep', async () => {
  utimesSync(join(folder, 'a.txt'), 1, 1);
  chmodSync(join(folder, 'src/b.txt'), 0o600);
  appendFileSync(join(folder, 'other.txt'), 'more');
  expect(await built(folder)).toEqual([0, 3]);
});

test('nothing runs again in a clone elsewhere, for another user name, with another umask, time zone and locale', async () => {
  const clone = join(rig.base, 'projects', 'a clone with blanks');
  cpSync(folder, clone, { recursive: true });
  const umask = process.umask(0o077);
  try {
    expect(await built(clone, { USER: 'somebody', LOGNAME: 'somebody', TZ: 'Asia/Tokyo', LC_ALL: 'C' })).toEqual([0, 3]);
  } finally {
    process.umask(umask);
  }
});

test('one byte of an input changed: exactly that step and those after it run, and why names it', async () => {
  writeFileSync(join(folder, 'src/b.txt'), 'c');
  const plan = (await rig.ok(['plan', '--json'], { cwd: folder })).json as unknown as { steps: { name: string; state: string }[] };
  expect(plan.steps.map((step) => step.state)).toEqual(['cached', 'runs', 'runs']);
  const why = await rig.ok(['why', 'two'], { cwd: folder });
  expect(why.stdout).toMatch(/input src\/b\.txt changed: 3e23e816… → 2e7d2c03…/);
  expect((await rig.ok(['why', 'three'], { cwd: folder })).stdout).toContain('"two"');
  expect((await rig.ok(['why', '1'], { cwd: folder })).stdout).toContain('nothing');
  expect(await built(folder)).toEqual([2, 1]);
  writeFileSync(join(folder, 'src/b.txt'), 'b');
  expect(await built(folder)).toEqual([0, 3]);
});

test('plan changes nothing', async () => {
  writeFileSync(join(folder, 'a.txt'), 'x');
  await rig.ok(['plan'], { cwd: folder });
  await rig.ok(['up', '--dry-run'], { cwd: folder });
  expect((await rig.ok(['plan', '--json'], { cwd: folder })).json).toMatchObject({
    steps: [{ state: 'runs' }, { state: 'runs' }, { state: 'runs' }],
  });
  writeFileSync(join(folder, 'a.txt'), 'a');
});

test('--no-cache runs every step', async () => {
  const { json } = await rig.ok(['build', '--json', '--no-cache'], {
    cwd: rig.project({ 'devenv.json': { image: 'scratch', steps: [{ copy: 'a', to: '/a' }] }, a: 'a' }),
  });
  expect(json).toMatchObject({ built: 1, cached: 0 });
});

test('an unknown step is an error that lists the steps', async () => {
  const result = await rig.devenv(['why', 'nope'], { cwd: folder });
  expect(result.exitCode).toBe(2);
  expect(result.stderr).toMatch(/one[^]*two[^]*three/);
});

test('the same steps give layers with the same bytes at another time and under another umask', async () => {
  const other = await makeRig();
  try {
    const list = async (owner: Rig, umask: number): Promise<unknown> => {
      const cwd = owner.project({ 'devenv.json': file, 'a.txt': 'a', 'src/b.txt': 'b' }, `same-${umask}`);
      const before = process.umask(umask);
      await owner
        .ok(['build', '--no-cache'], { cwd, env: umask === 0o77 ? { TZ: 'Asia/Tokyo' } : {} })
        .finally(() => process.umask(before));
      const { json } = await owner.ok(['plan', '--json'], { cwd });
      return (json as { steps: { key: string }[] }).steps.map(({ key }) => {
        const { layer } = JSON.parse(readFileSync(join(owner.base, 'data/step-keys', `${key}.json`), 'utf8')) as { layer: string };
        return readFileSync(join(owner.base, 'data/layer-info', `${layer}.files`), 'utf8');
      });
    };
    expect(await list(other, 0o77)).toEqual(await list(rig, 0o22));
  } finally {
    await other[Symbol.asyncDispose]();
  }
});
