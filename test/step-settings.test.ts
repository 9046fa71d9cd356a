import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

const inside = async (cwd: string, script: string): Promise<string> => (await rig.ok(['exec', 'sh', '-c', script], { cwd })).stdout;

test('a step without network has the loopback alone; one beside it has a network', async () => {
  const look = (name: string): string => `sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev | sort > /${name}`;
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      steps: [{ run: look('without'), network: false }, { run: look('with') }, { run: look('again'), network: false }],
    },
  });
  await rig.ok(['up'], { cwd });
  const [without, connected, again] = [await inside(cwd, 'cat /without'), await inside(cwd, 'cat /with'), await inside(cwd, 'cat /again')];
  expect([without, again]).toEqual(['lo\n', 'lo\n']);
  expect(connected.split('\n').length).toBeGreaterThan(2);
});

test('a cache is kept between builds and projects, belongs to the user of the step, and is never in the layer', async () => {
  const step = (text: string): object => ({
    image: debian,
    user: 'dev',
    steps: [
      {
        name: 'warm',
        run: `echo ${text} >> /home/dev/.cache/tool/log && cp /home/dev/.cache/tool/log /tmp/log`,
        cache: ['/home/dev/.cache/tool'],
        user: 'dev',
      },
      { name: 'after', run: 'ls -A /home/dev/.cache/tool > /seen 2>&1 || true' },
    ],
  });
  const cwd = rig.project({ 'devenv.json': step('one') });
  await rig.ok(['up'], { cwd });
  writeFileSync(join(cwd, 'devenv.json'), JSON.stringify(step('two')));
  await rig.ok(['up'], { cwd });
  expect(await inside(cwd, 'cat /tmp/log')).toBe('one\ntwo\n');
  const other = rig.project({ 'devenv.json': step('three') });
  await rig.ok(['up'], { cwd: other });
  expect(await inside(other, 'cat /tmp/log')).toBe('one\ntwo\nthree\n');
  expect(await inside(other, 'cat /seen; ls -A /home/dev/.cache/tool 2>/dev/null; true')).not.toContain('log');
});

test('args reach run steps and their keys: another value is another layer, and the former one is still there', async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: debian,
      args: { FLAVOUR: '${localEnv:FLAVOUR:plain}' },
      steps: [{ name: 'flavour', run: 'echo $FLAVOUR > /flavour' }],
    },
  });
  const up = async (env: Record<string, string>): Promise<unknown[]> => {
    const { json } = await rig.ok(['up', '--json'], { cwd, env });
    return [json['built'], json['cached'], await inside(cwd, 'cat /flavour; echo $FLAVOUR')];
  };
  expect(await up({})).toEqual([1, 0, 'plain\n\n']);
  expect(await up({ FLAVOUR: 'mint' })).toEqual([1, 0, 'mint\n\n']);
  expect(await up({})).toEqual([0, 1, 'plain\n\n']);
  const why = await rig.ok(['why', 'flavour'], { cwd, env: { FLAVOUR: 'other' } });
  expect(why.stdout).toContain('FLAVOUR');
});

test('scratch is an image with nothing but what steps copy: a static program runs, in steps and in the environment', async () => {
  const cwd = rig.project({
    'devenv.json': {
      image: 'scratch',
      steps: [
        { copy: 'busybox', to: '/bin/busybox' },
        { name: 'install', run: ['/bin/busybox', '--install', '-s', '/bin'] },
        { run: 'ls / > /list' },
      ],
      env: { WHO: 'scratch' },
    },
  });
  writeFileSync(join(cwd, 'busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
  expect((await rig.ok(['up', '--json'], { cwd })).json).toMatchObject({ built: 3 });
  expect(await inside(cwd, 'echo $WHO; ls /workspace; cat /list')).toMatch(/^scratch\nbusybox\ndevenv.json\nbin\n/);
  expect((await rig.devenv(['exec', 'no-such'], { cwd })).exitCode).toBe(127);
  expect((await rig.ok(['run', '--', 'id', '-u'], { cwd })).stdout).toBe('0\n');
});

test('scratch without steps says that there is nothing to run', async () => {
  const cwd = rig.project({ 'devenv.json': { image: 'scratch' } });
  await rig.ok(['up'], { cwd });
  const shell = await rig.devenv(['shell'], { cwd, input: '' });
  expect([shell.exitCode > 0, shell.stderr]).toEqual([true, expect.stringContaining('/bin/sh')]);
});
