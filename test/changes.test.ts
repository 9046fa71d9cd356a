import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import schema from '../schemas/devenv.schema.json' with { type: 'json' };
import { dailyRows, type Row } from './changed-members.ts';
import { debian, makeRig, type Rig } from './rig.ts';

let rig: Rig;
let ports: readonly [number, number];
beforeAll(async () => {
  rig = await makeRig();
  ports = [await freePort(), await freePort()];
});
afterAll(() => rig[Symbol.asyncDispose]());

/** What its command is to have written, when it has come to that. */
const written = (word: string): [string, string] => [
  `for i in $(seq 100); do grep -qsx ${word} /tmp/said && break; sleep 0.1; done; cat /tmp/said`,
  `${word}\n`,
];

/** Workspaces that run the image's command. */
const running: readonly Row[] = [
  {
    of: ['command'],
    set: { command: 'echo two > /tmp/said; exec sleep 1000' },
    kind: 'restart',
    says: /command: .*two/,
    inside: written('two'),
  },
  {
    of: ['entrypoint'],
    set: { entrypoint: ['env', 'VIA=entrypoint'], command: ['sh', '-c', 'echo $VIA > /tmp/said; exec sleep 1000'] },
    kind: 'restart',
    says: /command: .*VIA=entrypoint/,
    inside: written('entrypoint'),
  },
  {
    of: ['env'], // a command that runs has the old ones
    set: { env: { VIA2: 'env' }, entrypoint: null, command: 'echo $VIA2 > /tmp/said; exec sleep 1000' },
    kind: 'restart',
    says: /env: VIA2 added/,
    inside: written('env'),
  },
  {
    of: ['env'],
    set: { env: { VIA2: 'other' } },
    kind: 'restart',
    says: /env: VIA2 changed/,
    inside: written('other'),
  },
  {
    of: ['healthcheck.test'],
    set: { healthcheck: { test: 'test -e /tmp/said && touch /tmp/checked' } },
    kind: 'hot',
    says: /healthcheck/,
    inside: ['ls /tmp/checked', '/tmp/checked\n'],
  },
  {
    of: ['healthcheck.interval', 'healthcheck.timeout', 'healthcheck.retries', 'healthcheck.startPeriod'],
    set: { healthcheck: { test: 'test -e /tmp/said', interval: '1s', timeout: '2s', retries: 2, startPeriod: '1s' } },
    kind: 'hot',
    says: /healthcheck/,
  },
];

const bases: readonly Row[] = [
  {
    of: ['image'],
    set: { image: debian },
    kind: 'rebuild',
    says: /busybox runs.*rebuild from step 1/,
    inside: ['test -e /etc/debian_version && echo debian', 'debian\n'],
  },
];

const daily = dailyRows({
  inside,
  writeFile,
  heard,
  labels,
  read: (path) => readFileSync(join(folder, path), 'utf8'),
  devenv: (args, input) => rig.ok(args, { cwd: folder, ...(input === undefined ? {} : { input }) }),
  ports: () => ports,
});

let folder: string;
let file: Record<string, unknown>;
let initStart: string;

describe('a changed member is said by status, and up brings it about', () => {
  suite('in daily work', daily, () => ({ name: 'first', image: debian, user: 'dev', mounts: [] }), []);
  suite('that runs its command', running, () => ({ image: debian, command: 'echo one > /tmp/said; exec sleep 1000' }), ['--run']);
  suite(
    'that gets another base',
    bases,
    () => ({ image: 'scratch', steps: [{ copy: 'busybox', to: '/bin/busybox' }, { run: ['/bin/busybox', '--install', '-s', '/bin'] }] }),
    [],
    { busybox: () => readFileSync('/bin/busybox') },
  );
});

test('a platform that this machine cannot run is refused, and the environment stays as it is', async () => {
  folder = rig.project({ 'devenv.json': { image: debian } });
  await rig.ok(['up'], { cwd: folder });
  const before = await startOfInit();
  const foreign = process.arch === 'arm64' ? 'linux/amd64' : 'linux/s390x';
  writeFile('devenv.json', { image: debian, platform: foreign });
  const result = await rig.devenv(['up'], { cwd: folder });
  expect([result.exitCode > 0, result.stderr]).toEqual([true, expect.stringContaining(foreign)]);
  expect(result.stderr).not.toContain('    at ');
  expect(await startOfInit()).toBe(before);
  writeFile('devenv.json', { image: debian, platform: process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64' });
  await rig.ok(['status'], { cwd: folder });
});

test('every member of the schema has a row', () => {
  const { properties, $defs } = schema;
  const members = Object.entries(properties).flatMap(([name, definition]) => {
    if (name === 'mounts')
      return $defs.mount.oneOf.flatMap((mount) =>
        Object.keys(mount.properties).map((key) => `mounts.${mount.properties.type.const}.${key}`),
      );
    if (name === 'healthcheck') return Object.keys($defs.healthcheck.properties).map((key) => `healthcheck.${key}`);
    if (name === 'customizations' || !('properties' in definition)) return [name];
    return Object.keys(definition.properties as object).map((key) => `${name}.${key}`);
  });
  const tested = new Set([...daily, ...running, ...bases].flatMap((row) => row.of));
  tested.add('platform');
  expect(members.filter((member) => !tested.has(member))).toEqual([]);
  expect(members.length).toBeGreaterThan(40);
});

function suite(
  title: string,
  rows: readonly Row[],
  start: () => Record<string, unknown>,
  flags: readonly string[],
  files: Record<string, () => Uint8Array> = {},
): void {
  describe(`an environment ${title}`, () => {
    beforeAll(async () => {
      file = start();
      folder = rig.project({ 'devenv.json': file }, `${title.replaceAll(' ', '-')}/project`);
      for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content(), { mode: 0o755 });
      await rig.ok(['up', ...flags], { cwd: folder });
      initStart = await startOfInit();
    });
    for (const [index, row] of rows.entries()) test(`${index + 1} ${row.of.join(', ')}: ${row.kind}`, () => follow(row, flags));
  });
}

async function follow(row: Row, flags: readonly string[]): Promise<void> {
  await row.before?.();
  const set = typeof row.set === 'function' ? row.set() : row.set;
  file = { ...file, ...set };
  writeFile('devenv.json', file);

  const status = await rig.devenv(['status'], { cwd: folder });
  expect([status.exitCode, status.stderr]).toEqual([row.kind === 'none' ? 0 : 3, '']);
  if (row.says) expect(status.stdout).toMatch(row.says);
  const { action, changes } = (await rig.ok(['up', '--json', ...flags], { cwd: folder })).json as unknown as {
    readonly action: string;
    readonly changes: readonly { readonly kind: string }[];
  };
  const strongest = ['rebuild', 'restart', 'hot'].find((kind) => changes.some((change) => change.kind === kind)) ?? 'none';
  expect([strongest, action]).toEqual([
    row.kind,
    { none: 'unchanged', hot: 'updated', restart: 'recreated', rebuild: 'recreated' }[row.kind],
  ]);
  if (row.inside) {
    const [script, prints] = row.inside;
    const said = await inside(script);
    if (typeof prints === 'string') expect(said).toBe(prints);
    else expect(said).toMatch(prints);
  }
  if (row.outside) expect(await row.outside[0]()).toEqual(row.outside[1]);
  expect((await rig.devenv(['status'], { cwd: folder })).stdout).toMatch(/next: devenv shell/);
  const [before, now] = [initStart, await startOfInit()];
  initStart = now;
  expect(now === before).toBe(row.kind === 'hot' || row.kind === 'none');
}

async function inside(script: string): Promise<string> {
  return (
    await rig.ok(
      ['exec', '-u', 'root', '--', 'sh', '-c', `if [ -x /bin/bash ]; then exec /bin/bash -c "$1"; else exec sh -c "$1"; fi`, 'sh', script],
      { cwd: folder },
    )
  ).stdout;
}

/** When the container's first process began, in ticks since the machine did: another one is another container. */
async function startOfInit(): Promise<string> {
  return (await rig.ok(['exec', 'cat', '/proc/1/stat'], { cwd: folder })).stdout.split(' ')[21]!;
}

function labels(): Record<string, string> {
  const [record] = JSON.parse(
    `[${execFileSync('sh', ['-c', `cat ${rig.base}/data/containers/first-*/container.json`], { encoding: 'utf8' })}]`,
  ) as [{ spec: { labels: Record<string, string> } }];
  return record.spec.labels;
}

function writeFile(path: string, content: unknown): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content));
}

/** What a connection from this machine hears; nothing when there is none. */
async function heard(number: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(number, '127.0.0.1');
    socket.setTimeout(20_000, () => socket.destroy());
    socket.on('data', (chunk) => (text += chunk.toString()));
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: free } = server.address() as AddressInfo;
  server.close();
  return free;
}
