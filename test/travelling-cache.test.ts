import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startFakeServer } from '../packages/core/src/registry/fake-server.suite.ts';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { debian, makeEmptyRig, makeRig, type Result, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let registry: RealRegistry;
let anna: Rig;
let bert: Rig;

const cache = (name = 'cache'): string => `${registry.host}/team/${name}`;
/** Steps that take a while, of which the last gives something else each time. */
const steps = [
  { env: { GREETING: 'good morning' } },
  { name: 'slow', run: 'sleep 1; echo slow > /slow' },
  { name: 'quick', run: 'echo quick > /quick; cat /proc/uptime >> /quick' },
  { name: 'last', run: 'sleep 1; cat /slow /quick /proc/sys/kernel/random/uuid > /last' },
];
const project = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  'devenv.json': { name: 'shop', image: { layout: '../../source' }, steps, ...change },
});
const last = async (rig: Rig, cwd: string): Promise<string> => (await rig.ok(['exec', 'cat', '/last'], { cwd })).stdout;

interface Bill {
  readonly fetched: number;
  readonly receivedBytes: number;
  readonly savedSeconds: number;
  readonly spentSeconds: number;
  readonly published: number;
  readonly sentBytes: number;
}
const billOf = ({ json }: Result): Bill => json['cache'] as Bill;

async function machine(): Promise<Rig> {
  const rig = await makeEmptyRig();
  execFileSync('cp', ['-r', join(anna.base, 'source'), rig.base]);
  return rig;
}

beforeAll(async () => {
  registry = await startRealRegistry();
  anna = await makeEmptyRig();
  writeBusyboxLayout(join(anna.base, 'source'));
  bert = await machine();
});
afterAll(async () => {
  for (const started of [anna, bert, registry]) await started[Symbol.asyncDispose]();
});

test('what one machine has built another fetches, runs nothing, and says what that saved', async () => {
  const made = await anna.ok(['up', '--cache-to', cache(), '--json'], { cwd: anna.project(project(), 'shop') });
  expect([made.json['built'], billOf(made)]).toMatchObject([3, { fetched: 0, published: 3 }]);
  expect(made.stderr).toContain(', 3 steps sent');
  expect(billOf(made).sentBytes).toBeGreaterThan(300);

  const cwd = bert.project(project({ cache: { from: [cache()] } }), 'clone');
  const came = await bert.ok(['up', '--json'], { cwd });
  expect([came.json['built'], came.json['cached'], billOf(came)]).toMatchObject([0, 3, { fetched: 3, published: 0 }]);
  expect(billOf(came).savedSeconds).toBeGreaterThan(2);
  expect(came.stderr).toMatch(/\[2\/4\] slow \(from 127\.0\.0\.1:\d+\/team\/cache\)\n\[2\/4\] slow CACHED/);
  expect(came.stderr).toMatch(/3 steps cached · cache saved \d[^,]* s, spent \d[^,·]* s · /);
  expect(await last(bert, cwd)).toBe(await last(anna, join(anna.base, 'projects/shop')));

  // A second `up` asks nobody, and a second push has nothing to send.
  expect((await bert.ok(['up', '--json'], { cwd })).json['cache']).toBeUndefined();
  const again = await anna.ok(['build', '--cache-to', cache(), '--json'], { cwd: join(anna.base, 'projects/shop') });
  expect(billOf(again)).toMatchObject({ published: 0, sentBytes: 0 });
});

test('after a change the steps before it are fetched, it is run, and only its layer is sent', async () => {
  await using clara = await machine();
  const changed = [...steps, { name: 'more', run: 'echo more > /more' }];
  const args = ['build', '--json', '--cache-from', cache(), '--cache-to', cache()];
  const built = await clara.ok(args, { cwd: clara.project(project({ steps: changed })) });
  expect([built.json['built'], billOf(built)]).toMatchObject([1, { fetched: 3, published: 1 }]);
});

test('the Debian that one machine made is fetched by the other, since what is made on it stands on no other', async () => {
  await using maker = await makeRig();
  const file = { 'devenv.json': { image: debian, steps: [{ name: 'made', run: 'sleep 1; dpkg -l > /made' }] } };
  const made = await maker.ok(['build', '--cache-to', cache('debian'), '--json'], { cwd: maker.project(file) });
  expect(billOf(made)).toMatchObject({ published: 2 });
  await using other = await makeEmptyRig();
  const came = await other.ok(['build', '--cache-from', cache('debian'), '--json'], { cwd: other.project(file) });
  expect([came.json['built'], billOf(came)]).toMatchObject([0, { fetched: 2 }]);
});

test('what is here gives way to what others went on from, where that saves time', async () => {
  await using clara = await machine();
  const cwd = clara.project(project({ steps: steps.slice(0, 3) }), 'clone');
  await clara.ok(['up'], { cwd });
  writeFileSync(join(cwd, 'devenv.json'), JSON.stringify(project({ cache: { from: [cache()] } })['devenv.json']));
  const up = await clara.ok(['up', '--json'], { cwd });
  expect([up.json['built'], up.json['cached'], billOf(up)]).toMatchObject([0, 3, { fetched: 2 }]);
  expect(await last(clara, cwd)).toBe(await last(anna, join(anna.base, 'projects/shop')));
});

test('--no-cache runs what the cache has, and what it made takes its place', async () => {
  await using clara = await machine();
  const args = ['build', '--no-cache', '--json', '--cache-from', cache(), '--cache-to', cache('fresh')];
  const built = await clara.ok(args, { cwd: clara.project(project({ steps: steps.slice(0, 3) })) });
  expect([built.json['built'], billOf(built)]).toMatchObject([2, { fetched: 0, published: 2 }]);
});

test('a cache that cannot be reached, hangs or refuses is left out with one warning, and the build is the same', async () => {
  await using broken = await startFakeServer({}, (_request, response) => (response.writeHead(500).end(), true));
  await using closed = await startFakeServer({}, (_request, response) => (response.writeHead(401).end(), true));
  const silent = await new Promise<Server>((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => resolve(server));
  });
  const hosts = ['127.0.0.1:1', broken.host, closed.host, `127.0.0.1:${(silent.address() as AddressInfo).port}`];
  try {
    await using clara = await machine();
    const from = hosts.flatMap((host) => ['--cache-from', `${host}/cache`]);
    const built = await clara.ok(['build', ...from, '--cache-to', `${hosts[0]}/cache`], { cwd: clara.project(project()) });
    expect(built.stderr).toContain('3 steps built');
    for (const host of hosts) expect(built.stderr.split(`Warning: The cache ${host}/cache is left out: `).length, host).toBe(2);
  } finally {
    silent.close();
  }
});

test('only a repository that the flag, the file or the own settings name is asked', async () => {
  await using stranger = await startFakeServer({});
  await using clara = await machine();
  const cwd = clara.project(project({ labels: { cache: `${stranger.host}/cache` } }));
  await clara.ok(['build', '--cache-from', cache('empty')], { cwd });
  expect(stranger.requests).toEqual([]);
  const refused = await clara.devenv(['build', '--no-cache', '--json', '--cache-from', `${cache()}:latest`], { cwd });
  expect(refused.json).toMatchObject({ code: 'BAD_VALUE' });
});
