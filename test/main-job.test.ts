import { statSync, readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, traces, type Rig } from './rig.ts';

let rig: Rig;
let folder: string;
beforeAll(async () => {
  rig = await makeRig();
  folder = rig.project({
    'devenv.json': {
      name: 'Main Job',
      image: debian,
      steps: [
        { name: 'motd', copy: 'motd.txt', to: '/etc/motd' },
        { env: { PATH: '/opt/tool:${containerEnv:PATH}', FLAVOUR: 'vanilla' } },
        { name: 'tool', run: 'mkdir -p /opt/tool && cp tool.sh /opt/tool/tool && echo made by $(whoami) in $PWD', inputs: ['tool.sh'] },
      ],
      user: 'dev',
      env: { GREETING: '${localEnv:WHO:nobody}' },
    },
    'motd.txt': 'welcome\n',
    'tool.sh': '#!/bin/sh\necho tool runs with $FLAVOUR\n',
    'secret.txt': 'not an input\n',
  });
});
afterAll(() => rig[Symbol.asyncDispose]());

test('exec before up says what to do', async () => {
  const result = await rig.devenv(['exec', 'true'], { cwd: folder });
  expect([result.exitCode, result.stdout]).toEqual([125, '']);
  expect(result.stderr).toContain('devenv up');
  expect(result.stderr).not.toContain('    at ');
});

test('up makes the environment; stdout ends with one object that says how to reach it', async () => {
  const result = await rig.ok(['up', '--json'], { cwd: folder, env: { WHO: 'Ada' } });
  expect(result.json).toMatchObject({
    schema: 1,
    outcome: 'success',
    remoteUser: 'dev',
    remoteWorkspaceFolder: '/workspace',
    built: 2,
    cached: 0,
  });
});

test('exec runs in it: user, directory, variables, files of the image and of the workspace', async () => {
  const result = await rig.ok(['exec', '--', 'sh', '-c', 'id -un; pwd; echo $GREETING; cat /etc/motd; sh /opt/tool/tool; ls; hostname'], {
    cwd: join(folder),
  });
  expect(result.stdout.split('\n')).toEqual([
    'dev',
    '/workspace',
    'Ada',
    'welcome',
    'tool runs with vanilla',
    'devenv.json',
    'motd.txt',
    'secret.txt',
    'tool.sh',
    'main-job',
    '',
  ]);
});

test('a file made inside belongs outside to the owner of the workspace, and is seen at once', async () => {
  await rig.ok(['exec', 'sh', '-c', 'id -u > made.txt'], { cwd: folder });
  const stats = statSync(join(folder, 'made.txt'));
  expect([readFileSync(join(folder, 'made.txt'), 'utf8'), stats.uid, stats.gid]).toEqual(['1000\n', process.getuid!(), process.getgid!()]);
});

test('up again has nothing to do, and the container is the same one', async () => {
  const first = await rig.ok(['exec', 'cat', '/proc/1/stat'], { cwd: folder });
  const again = await rig.ok(['up', '--json'], { cwd: folder, env: { WHO: 'Ada' } });
  expect(again.json).toMatchObject({ built: 0, cached: 2 });
  expect((await rig.ok(['exec', 'cat', '/proc/1/stat'], { cwd: folder })).stdout.split(' ')[21]).toBe(first.stdout.split(' ')[21]);
});

test('ps, status and plan tell what is here', async () => {
  const ps = await rig.ok(['ps', '--json'], { cwd: folder });
  expect(ps.json).toMatchObject({ environments: [{ folder, state: 'running', name: 'Main Job' }] });
  const status = await rig.ok(['status', '--json'], { cwd: folder, env: { WHO: 'Ada' } });
  expect(status.json).toMatchObject({ state: 'running', stale: false, changes: [] });
  const plan = await rig.ok(['plan'], { cwd: folder });
  expect(plan.stdout).toMatch(/motd[^\n]*cached/i);
});

test('run is a container of its own, removed afterwards', async () => {
  const result = await rig.devenv(['run', '--', 'sh', '-c', 'echo here > /home/dev/only-here; exit 7'], { cwd: folder });
  expect(result.exitCode).toBe(7);
  expect((await rig.devenv(['exec', 'test', '-e', '/home/dev/only-here'], { cwd: folder })).exitCode).toBe(1);
  expect((await rig.ok(['ps', '--json'], { cwd: folder })).json).toMatchObject({ environments: [{ folder }] });
});

test('stop keeps what was changed by hand, up goes on with it', async () => {
  await rig.ok(['exec', '-u', 'root', 'sh', '-c', 'echo kept > /root/kept'], { cwd: folder });
  await rig.ok(['stop'], { cwd: folder });
  const stopped = await rig.devenv(['exec', 'true'], { cwd: folder });
  expect([stopped.exitCode, stopped.stderr]).toEqual([125, expect.stringContaining('devenv up')]);
  await rig.ok(['up'], { cwd: folder, env: { WHO: 'Ada' } });
  expect((await rig.ok(['exec', '-u', 'root', 'cat', '/root/kept'], { cwd: folder })).stdout).toBe('kept\n');
});

test('down leaves no process, mount, control group or folder behind; the layers stay', async () => {
  const { containerId } = (await rig.ok(['up', '--json'], { cwd: folder, env: { WHO: 'Ada' } })).json as { containerId: string };
  expect(traces(containerId)).not.toEqual([]);
  await rig.ok(['down'], { cwd: folder });
  expect(traces(containerId)).toEqual([]);
  expect(traces(rig.base)).toEqual([]);
  expect(existsSync(join(rig.base, 'data', 'containers', containerId))).toBe(false);
  const up = await rig.ok(['up', '--json'], { cwd: folder });
  expect(up.json).toMatchObject({ built: 0, cached: 2 });
  expect((await rig.devenv(['exec', '-u', 'root', 'test', '-e', '/root/kept'], { cwd: folder })).exitCode).toBe(1);
});
