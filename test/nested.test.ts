import { globSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, makeRig, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let rig: Rig;
beforeAll(async () => (rig = await makeRig()));
afterAll(() => rig[Symbol.asyncDispose]());

const checkout = fileURLToPath(new URL('..', import.meta.url));
const inner = '/opt/devenv/packages/cli/bin/devenv';

/** An environment with everything in it that devenv needs, and this checkout. */
const outer = (security: object): object => ({
  name: 'outer',
  image: debian,
  steps: [{ name: 'tools', apt: ['crun', 'conmon', 'passt', 'catatonit', 'golang-github-containers-common'] }],
  security,
  env: { DEVENV_BASE_DIR: '/inner' },
  mounts: [
    { type: 'volume', source: 'inner', target: '/inner' },
    { type: 'bind', source: checkout, target: '/opt/devenv', readonly: true },
  ],
});

test('devenv builds and runs inside a privileged environment, and in one without privileges doctor says which are missing', async () => {
  const cwd = rig.project({
    'devenv.json': outer({ privileged: true }),
    'inner/devenv.json': { image: { layout: 'tiny' }, steps: [{ run: 'uname -s > /made' }] },
  });
  writeBusyboxLayout(join(cwd, 'inner/tiny'));
  await rig.ok(['up'], { cwd });
  const work = `cd inner && ${inner} up && ${inner} exec -- cat /made && ${inner} down && ls /inner/data/containers | wc -l`;
  expect((await rig.ok(['exec', '--', 'sh', '-ec', work], { cwd })).stdout).toMatch(/^Linux\n(?:.*\n)?0\n$/);

  const doctor = async (env: string): Promise<string> =>
    (await rig.devenv(['exec', '--', 'sh', '-c', `${env} ${inner} doctor`], { cwd })).stdout;
  expect(await doctor('')).toMatch(/engine: works\n[^]*privileges +inside a container that has them/);
  expect(await doctor('DEVENV_BASE_DIR=/elsewhere')).toMatch(
    /storage driver +overlay: the data directory is on an overlay itself.*\n +fix: set DEVENV_BASE_DIR to a volume/,
  );

  rig.project({ 'devenv.json': outer({}) }, 'project-1');
  await rig.ok(['up'], { cwd });
  expect(await doctor('')).toMatch(/privileges +inside a container, without CAP_NET_ADMIN, CAP_SYS_ADMIN\n +fix: docker run --privileged/);
  const refused = await rig.devenv(['exec', '--', 'sh', '-c', `cd inner && ${inner} up`], { cwd });
  expect([refused.exitCode, refused.stderr]).toEqual([1, expect.stringMatching(/Hint: docker run --privileged/)]);

  rig.project({ 'devenv.json': outer({ capAdd: ['SYS_ADMIN', 'NET_ADMIN'], seccomp: 'unconfined' }) }, 'project-1');
  await rig.ok(['up'], { cwd });
  // Of the least that is enough only the device is missing: an environment cannot be given one.
  const least = await doctor('');
  expect(least.match(/^ +missing +\S+/gm)).toEqual([expect.stringContaining('/dev/net/tun')]);
  await rig.ok(['down', '--volumes'], { cwd });
  expect(globSync(join(rig.base, 'data/volumes/*'))).toEqual([]);
}, 300_000);
