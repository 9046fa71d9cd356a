import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launcher, makeEmptyRig, runProcess, type Result, type Rig } from './rig.ts';
import { workspaceNode } from './seed.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

interface VerifiedLayer {
  readonly step: string;
  readonly same: boolean;
  readonly files: readonly { readonly path: string; readonly where: string; readonly what: readonly string[]; readonly cause: string }[];
  readonly causes: readonly { readonly cause: string; readonly advice: string }[];
}

let rig: Rig;
beforeAll(async () => {
  rig = await makeEmptyRig();
  writeBusyboxLayout(join(rig.base, 'source'));
});
afterAll(() => rig[Symbol.asyncDispose]());

const image = { layout: '../../source' };

/** One step for each kind of cause, named for it. */
const fixtures = {
  'time stamp': 'busybox date > /when',
  ordering: 'busybox seq 1 50 | busybox shuf > /order',
  'random bytes': 'busybox head -c 256 /dev/urandom > /random',
  path: 'busybox mkdir -p /tmp; folder=$(busybox mktemp -d); echo "prefix=$folder" > /prefix; busybox rm -r "$folder"',
};

const layersOf = (result: Pick<Result, 'json'>): readonly VerifiedLayer[] => result.json['layers'] as VerifiedLayer[];

test('what is built again from nothing is the same; the store and its layers are left as they were', async () => {
  const steps = [{ name: 'one', run: 'echo one > /one; mkdir /many; for i in 1 2 3; do echo $i > /many/$i; done' }, { env: { A: 'b' } }];
  const cwd = rig.project({
    'devenv.json': { image, steps: [...steps, { name: 'two', run: 'busybox ln /one /two; busybox rm -r /many' }] },
  });
  const before = await rig.devenv(['verify', '--json'], { cwd });
  expect([before.exitCode, before.json['same'], before.json['against']]).toEqual([0, true, 'second build']);
  await rig.ok(['build'], { cwd });
  const layers = (): string[] => readdirSync(join(rig.base, 'data/layers')).toSorted();
  const [here, verified] = [layers(), await rig.devenv(['verify', '--json'], { cwd })];
  expect([verified.exitCode, verified.json['against'], layersOf(verified).map(({ step, same }) => [step, same])]).toEqual([
    0,
    'store',
    [
      ['one', true],
      ['two', true],
    ],
  ]);
  expect([layers(), readdirSync(join(rig.base, 'cache/verify'))]).toEqual([here, []]);
});

test('of each layer that differs it names the file, the kind of cause, and what to change', async () => {
  const steps = Object.entries(fixtures).map(([name, run]) => ({ name, run }));
  const cwd = rig.project({ 'devenv.json': { image, steps } });
  await rig.ok(['build'], { cwd });
  await delay(1100);
  const result = await rig.devenv(['verify', '--json'], { cwd });
  expect([result.exitCode, result.json['same'], layersOf(result)[0]!.causes[0]!.advice]).toEqual([
    3,
    false,
    expect.stringContaining('SOURCE_DATE_EPOCH'),
  ]);
  expect(layersOf(result).map(({ step, files }) => [step, files.map(({ path, what, cause }) => [path, ...what, cause])])).toEqual([
    ['time stamp', [['/when', 'content', 'time stamp']]],
    ['ordering', [['/order', 'content', 'ordering']]],
    ['random bytes', [['/random', 'content', 'random bytes']]],
    ['path', [['/prefix', 'content', 'path']]],
  ]);
});

test('a lock is what counts, also where nothing has been built; one that does not cover the file is refused', async () => {
  const steps = [
    { name: 'one', run: 'echo one > /one' },
    { name: 'chance', run: fixtures['random bytes'] },
  ];
  const cwd = rig.project({ 'devenv.json': { image, steps } });
  await rig.ok(['lock'], { cwd });
  await using other = await makeEmptyRig();
  execFileSync('cp', ['-r', join(rig.base, 'source'), other.base]);
  const elsewhere = other.project({
    'devenv.json': { image, steps },
    'devenv-lock.json': readFileSync(join(cwd, 'devenv-lock.json'), 'utf8'),
  });
  const { exitCode, stdout } = await other.devenv(['verify'], { cwd: elsewhere });
  expect(exitCode).toBe(3);
  expect(stdout).toMatch(
    /^same +[0-9a-f]{12} {2}one\ndifferent +[0-9a-f]{12} {2}chance \(expected [0-9a-f]{12}\)\n {2}\/random {2}content {2}random bytes\n/,
  );
  expect(stdout).toMatch(/\n {2}random bytes: .*\nNot reproducible: compared with what devenv-lock.json says\n$/);
  writeFileSync(join(elsewhere, 'devenv.json'), JSON.stringify({ image, steps: [...steps, { run: 'echo' }] }));
  expect(await other.devenv(['verify'], { cwd: elsewhere })).toMatchObject({ exitCode: 4 });
});

test('what a server answers otherwise than before is told from chance', async () => {
  await using network = await makeNetwork();
  const run = `busybox wget -qO /news http://${network.server}/news`;
  const cwd = rig.project({ 'devenv.json': { image, steps: [{ name: 'news', run }] } });
  network.publish('release 1.2: mends the parser\n');
  expect(await network.devenv(['build'], cwd)).toMatchObject({ exitCode: 0 });
  expect(await network.devenv(['verify'], cwd)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^same +[0-9a-f]{12} {2}news\nReproducible: 1 layer built anew/) as string,
  });
  network.publish('release 2.0: a new parser, faster by far\n');
  const result = await network.devenv(['verify', '--json'], cwd);
  expect([result.exitCode, layersOf(result)[0]]).toEqual([
    3,
    expect.objectContaining({ files: [{ path: '/news', where: 'both', what: ['content'], cause: 'network content' }] }),
  ]);
  expect(layersOf(result)[0]!.causes[0]!.advice).toMatch(/hash/);
});

test('whether the environment that runs is still what its image says', async () => {
  const cwd = rig.project({ 'devenv.json': { image, steps: [{ name: 'one', run: 'echo one > /one' }] } });
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['verify', '--environment', '--json'], { cwd })).json).toMatchObject({ same: true });
  await rig.ok(['exec', 'sh', '-c', 'echo two > /one; echo new > /etc/new'], { cwd });
  const changed = await rig.devenv(['verify', '--environment'], { cwd });
  expect([changed.exitCode, changed.stdout]).toEqual([3, expect.stringMatching(/\/one +content[^]*\/etc\/new +only in A/)]);
});

interface Network extends AsyncDisposable {
  readonly server: string;
  publish(text: string): void;
  devenv(args: readonly string[], cwd: string): Promise<Result>;
}

/** Two machines and a cable: one serves a folder, on the other devenv works. */
async function makeNetwork(): Promise<Network> {
  const [near, far] = [`devenv-near-${process.pid}`, `devenv-far-${process.pid}`];
  const server = '10.203.0.1';
  const folder = join(rig.base, 'site');
  mkdirSync(folder);
  const ip = (...args: string[]): void => void execFileSync('ip', args, { stdio: 'pipe' });
  let serving: ChildProcess | undefined;
  const remove = async (): Promise<void> => {
    if (serving?.kill()) await new Promise((resolve) => serving!.on('exit', resolve));
    for (const name of [near, far]) runQuietly('ip', ['netns', 'delete', name]);
    rmSync(folder, { recursive: true });
  };
  try {
    ip('netns', 'add', near);
    ip('netns', 'add', far);
    ip('-n', near, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', far);
    for (const [name, address] of [
      [near, '10.203.0.2'],
      [far, server],
    ] as const) {
      ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'cable');
      ip('-n', name, 'link', 'set', 'cable', 'up');
      ip('-n', name, 'link', 'set', 'lo', 'up');
    }
    ip('-n', near, 'route', 'add', 'default', 'via', server);
    const program = `require('node:http').createServer((ask, answer) => require('node:fs').createReadStream(process.argv[1] + ask.url).pipe(answer))
      .listen(80, () => console.log('ready'))`;
    serving = spawn('ip', ['netns', 'exec', far, workspaceNode(), '-e', program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => serving!.stdout!.once('data', resolve));
  } catch (error) {
    await remove();
    throw error;
  }
  return {
    server,
    publish: (text) => writeFileSync(join(folder, 'news'), text),
    async devenv(args, cwd) {
      const result = await runProcess('nsenter', [`--net=/run/netns/${near}`, launcher, ...args], { cwd, env: rig.user.env });
      const last = result.stdout.trimEnd().split('\n').at(-1) ?? '';
      return { ...result, json: last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {} };
    },
    [Symbol.asyncDispose]: remove,
  };
}

function runQuietly(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
  } catch {
    // It was not made.
  }
}
