import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { debian, launcher, makeRig, runProcess, traces, type Result, type Rig } from './rig.ts';
import { writeBusyboxTree } from './tiny-image.ts';

let rig: Rig;
beforeAll(async () => {
  rig = await makeRig();
});
afterAll(() => rig[Symbol.asyncDispose]());

const busybox = {
  image: 'scratch',
  steps: [{ copy: 'busybox', to: '/bin/busybox', mode: '0755' }, { run: ['/bin/busybox', '--install', '-s', '/bin'] }],
} as const;
const withBusybox = (config: object, more: object = {}): string => {
  const folder = rig.project({ 'devenv.json': config, ...more });
  writeFileSync(join(folder, 'busybox'), readFileSync('/bin/busybox'), { mode: 0o755 });
  return folder;
};
const startOfInit = async (cwd: string): Promise<string> => (await rig.ok(['exec', 'cat', '/proc/1/stat'], { cwd })).stdout.split(' ')[21]!;

/** Runs devenv after a script of root's, in a mount namespace and, with `-n`, a network of their own. */
async function apart(flags: readonly string[], script: string, args: readonly string[], cwd: string): Promise<Omit<Result, 'json'>> {
  const env = { PATH: process.env['PATH']!, HOME: join(rig.base, 'home'), DEVENV_BASE_DIR: rig.base };
  return runProcess('unshare', [...flags, '--', 'sh', '-ec', `${script}\nexec "$@"`, 'sh', launcher, ...args], { cwd, env });
}

test('a full disk is said as one; nothing half-made stays, what was there works, and with space it goes on', async () => {
  const small = join(rig.base, 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'small', small]);
  mkdirSync(join(small, 'runtime'));
  execFileSync('mount', ['-t', 'tmpfs', 'run', join(small, 'runtime')]); // as /run is another disk than /var/lib
  const env = { DEVENV_BASE_DIR: small };
  try {
    const cwd = withBusybox(busybox);
    await rig.ok(['up'], { cwd, env });
    const big = withBusybox({ ...busybox, steps: [...busybox.steps, { name: 'big', copy: 'big', to: '/big' }] });
    execFileSync('truncate', ['-s', '40M', join(big, 'big')]);
    const copying = await rig.devenv(['up', '--json'], { cwd: big, env });
    expect([copying.exitCode, copying.json['code'], copying.stderr]).toEqual([1, 'DISK_FULL', expect.stringContaining('no space left')]);
    const writing = withBusybox({ ...busybox, steps: [...busybox.steps, { run: 'dd if=/dev/zero of=/big bs=1M count=40' }] });
    const step = await rig.devenv(['up', '--json'], { cwd: writing, env });
    expect([step.exitCode, step.json['code'], step.json['hint']]).toEqual([1, 'STEP_FAILED', expect.stringContaining('disk may be full')]);
    expect(readdirSync(join(small, 'data/drafts'))).toEqual([]);

    expect((await rig.ok(['exec', 'echo', 'works'], { cwd, env })).stdout).toBe('works\n');
    execFileSync('sh', ['-c', `cat /dev/zero > ${small}/filler 2>/dev/null || true`]);
    writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ ...busybox, env: { NEW: '1' } }));
    const full = await rig.devenv(['up', '--json'], { cwd, env });
    expect([full.exitCode, full.json['code']]).toEqual([1, 'DISK_FULL']);
    expect((await rig.ok(['exec', 'echo', 'still'], { cwd, env })).stdout).toBe('still\n');
    const other = await rig.devenv(['up', '--json'], { cwd: big, env });
    expect([other.exitCode, other.json['code']]).toEqual([1, 'DISK_FULL']);
    await rig.ok(['down'], { cwd, env });
    rmSync(join(small, 'filler'));
    execFileSync('mount', ['-o', 'remount,size=200m', small]);
    await rig.ok(['up'], { cwd: big, env });
    await rig.ok(['down'], { cwd: big, env });
    expect(readdirSync(join(small, 'data/containers'))).toEqual([]);
  } finally {
    execFileSync('umount', ['-R', '-l', small]);
  }
});

test('a commit that a full disk ends says that what it stopped stays so, and how it runs again', async () => {
  const small = join(rig.base, 'small-commit');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'small', small]);
  const run = (...args: readonly string[]): Promise<Result> => rig.devenv(args, { cwd: rig.base, env: { DEVENV_BASE_DIR: small } });
  try {
    mkdirSync(join(rig.base, 'root'));
    writeBusyboxTree(join(rig.base, 'root'));
    await run('import', join(rig.base, 'root'), 'busy:1');
    await run('run', '-d', '--name', 'stays', 'busy:1', 'sleep', '900');
    writeFileSync(join(rig.base, 'big'), Buffer.alloc(6 * 1024 * 1024));
    await run('cp', join(rig.base, 'big'), 'stays:/');
    execFileSync('sh', ['-c', 'cat /dev/zero >"$0" || true', join(small, 'filler')], { stdio: 'ignore' });
    const { json, stderr } = await run('commit', 'stays', 'busy:2', '--json');
    expect([json['code'], json['message']]).toEqual(['DISK_FULL', `There is no space left on the disk of ${small}/data.`]);
    expect(stderr).toMatch(/stays was stopped for the commit, and does not start again: .*no space.*: devenv start stays/);
    rmSync(join(small, 'filler'));
    expect(await run('start', 'stays')).toMatchObject({ exitCode: 0 });
    expect((await run('ps')).stdout).toMatch(/stays +running/);
  } finally {
    await run('rm', '-f', 'stays');
    execFileSync('umount', ['-R', '-l', small]);
  }
});

test('a data directory that cannot be written is named, with what to do', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian } });
  const readonly = (path: string): string => `mount --bind ${path} ${path} && mount -o remount,ro,bind ${path}`;
  const result = await apart(['-m'], readonly(rig.base), ['up'], cwd);
  expect([result.exitCode, result.stderr]).toEqual([1, expect.stringMatching(/cannot write .*\n.*DEVENV_BASE_DIR/)]);
  const fresh = join(rig.base, 'fresh');
  mkdirSync(fresh);
  const first = await apart(['-m'], `${readonly(fresh)}; export DEVENV_BASE_DIR=${fresh}`, ['up'], cwd);
  expect([first.exitCode, first.stderr]).toEqual([1, expect.stringMatching(/cannot write .*\n.*DEVENV_BASE_DIR/)]);
  await rig.ok(['up'], { cwd, env: { HOME: '/proc/no-home' } });
});

test.each([
  [['crun', 'runc'], 'crun', debian],
  [['conmon'], 'conmon', debian],
  [['pasta'], 'passt', debian],
  [['catatonit'], 'catatonit', debian],
  [['mmdebstrap'], 'mmdebstrap', { debian: 'trixie' }],
] as const)('where %j is missing, the Debian package to install is named', async (programs, debianPackage, image) => {
  const cwd = rig.project({ 'devenv.json': { image } });
  const paths = programs
    .flatMap((name) => ['/usr/bin', '/usr/sbin', '/usr/libexec/podman'].map((folder) => join(folder, name)))
    .filter((path) => existsSync(path));
  const folders = [...new Set(paths.map((path) => dirname(path)))];
  const hide = folders.map(
    (folder, index) =>
      `mkdir -p $T/${index}u $T/${index}w; mount -t overlay overlay -o lowerdir=${folder},upperdir=$T/${index}u,workdir=$T/${index}w ${folder}`,
  );
  const result = await apart(
    ['-m'],
    `T=/mnt; mount -t tmpfs hidden $T; ${hide.join('; ')}; rm -f ${paths.join(' ')}`,
    ['up', '--json'],
    cwd,
  );
  const answer = JSON.parse(result.stdout.trimEnd().split('\n').at(-1)!) as { code: string; hint: string };
  expect([result.exitCode, answer]).toEqual([
    1,
    expect.objectContaining({ code: 'TOOL_MISSING', hint: expect.stringContaining(`apt-get install ${debianPackage}`) as string }),
  ]);
  expect(traces(cwd)).toEqual([]);
  if (image === debian) await rig.ok(['up'], { cwd }); // with the program again
});

test('without a network a cached environment comes up and works; a pull says that the registry cannot be reached', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian, ports: ['0:80'] } });
  const up = await apart(['-n'], 'true', ['up'], cwd);
  expect([up.exitCode, up.stderr]).toEqual([0, expect.stringContaining('no network')]);
  expect((await rig.ok(['exec', 'echo', 'works'], { cwd })).stdout).toBe('works\n');
  const pulls = rig.project({ 'devenv.json': { image: 'registry.example.org/image:1' } });
  const pull = await apart(['-n'], 'true', ['up', '--json'], pulls);
  expect([pull.exitCode, pull.stdout]).toEqual([1, expect.stringContaining('"code":"REGISTRY_UNREACHABLE"')]);
  expect(pull.stderr).toContain('registry.example.org');
});

test('a port that is taken is named, and the environment stays as it was', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    const cwd = rig.project({ 'devenv.json': { image: debian, ports: [port] } });
    const fresh = await rig.devenv(['up', '--json'], { cwd });
    expect([fresh.exitCode, fresh.json['code'], fresh.json['message']]).toEqual([1, 'PORT_TAKEN', expect.stringContaining(String(port))]);
    writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ image: debian }));
    await rig.ok(['up'], { cwd });
    const before = await startOfInit(cwd);
    const hot = { image: debian, ports: [port], env: { NEW: '1' } };
    for (const config of [hot, { ...hot, mounts: [{ type: 'tmpfs', target: '/fast' }] }]) {
      writeFileSync(join(cwd, 'devenv.json'), JSON.stringify(config));
      const taken = await rig.devenv(['up', '--json'], { cwd });
      expect([taken.exitCode, taken.json['code']]).toEqual([1, 'PORT_TAKEN']);
      expect(await startOfInit(cwd)).toBe(before);
      expect((await rig.devenv(['status'], { cwd })).exitCode).toBe(3);
    }
    server.close();
    await once(server, 'close');
    expect((await rig.ok(['up', '--json'], { cwd })).json['action']).toBe('recreated');
    expect((await rig.devenv(['status'], { cwd })).exitCode).toBe(0);
  } finally {
    server.close();
  }
});

test('a bind source that is missing is named, and the environment stays as it was; an optional one is left out', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian } });
  await rig.ok(['up'], { cwd });
  const before = await startOfInit(cwd);
  const mount = { type: 'bind', source: './not-here', target: '/not-here' };
  writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ image: debian, mounts: [mount] }));
  const missing = await rig.devenv(['up', '--json'], { cwd });
  expect([missing.exitCode, missing.json['code'], missing.json['message']]).toEqual([
    2,
    'MOUNT_SOURCE_MISSING',
    expect.stringContaining(join(cwd, 'not-here')),
  ]);
  expect(await startOfInit(cwd)).toBe(before);
  writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ image: debian, mounts: [{ ...mount, optional: true }] }));
  expect((await rig.ok(['up', '--json'], { cwd })).json['action']).toBe('unchanged');
});

test('to a user who may not write its folder devenv says which one, and what to do', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-not-root-'));
  try {
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, 'base'), { mode: 0o700 });
    writeFileSync(join(folder, 'devenv.json'), JSON.stringify({ image: debian }));
    const env = { PATH: process.env['PATH']!, HOME: folder, DEVENV_BASE_DIR: join(folder, 'base') };
    for (const args of [['up'], ['status'], ['exec', 'true'], ['down'], ['ps']]) {
      const unprivileged = ['--reuid=65534', '--regid=65534', '--clear-groups', launcher, ...args];
      const { stderr } = await runProcess('setpriv', unprivileged, { cwd: folder, env });
      expect(stderr).toContain(`devenv cannot write ${folder}/base/`);
      expect(stderr).toContain('DEVENV_BASE_DIR');
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a bind source that is missing shows before anything is built', async () => {
  const cwd = rig.project({
    'devenv.json': { image: debian, steps: [{ run: 'echo built' }], mounts: [{ source: './nowhere', target: '/data' }] },
  });
  for (const args of [['up'], ['run', 'true']]) {
    const { exitCode, stderr } = await rig.devenv(args, { cwd });
    expect([exitCode === 0, stderr]).toEqual([false, expect.stringContaining('nowhere')]);
    expect(stderr).not.toContain('built');
  }
});

test('state that was damaged by hand is made anew', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian, steps: [{ run: 'echo built' }] } });
  const { environmentId } = (await rig.ok(['up', '--json'], { cwd })).json as { environmentId: string };
  const folder = join(rig.base, 'state/environments', environmentId);
  for (const damaged of ['[]', '{"schema":1}', 'null']) {
    writeFileSync(join(folder, 'environment.json'), damaged);
    writeFileSync(join(folder, 'names.json'), damaged);
    const exec = await rig.devenv(['exec', 'true'], { cwd });
    expect([exec.exitCode, exec.stderr]).toEqual([125, expect.stringContaining('devenv up')]);
    await rig.ok(['ps'], { cwd });
    expect((await rig.ok(['up', '--json'], { cwd })).json['built']).toBe(0);
  }
  for (const name of readdirSync(join(rig.base, 'data/step-keys'))) {
    const path = join(rig.base, 'data/step-keys', name);
    const record = JSON.parse(readFileSync(path, 'utf8')) as { parts: { definition: { kind: string } } };
    if (record.parts.definition.kind === 'run') writeFileSync(path, JSON.stringify({ ...record, layer: '../../../etc' }));
  }
  expect((await rig.ok(['up', '--json'], { cwd })).json['built']).toBe(1);
  const record = JSON.parse(readFileSync(join(folder, 'environment.json'), 'utf8')) as object;
  writeFileSync(join(folder, 'environment.json'), JSON.stringify({ ...record, schema: 9 }));
  expect((await rig.devenv(['up', '--json'], { cwd })).json['code']).toBe('STORE_FORMAT');
  expect((await rig.ok(['down', '--json'], { cwd })).json['removed']).toBe(true);
  expect((await rig.ok(['down'], { cwd })).stderr).toContain('Nothing to remove');
});

test('a broken devenv.json means its own folder, never the environment of the one above', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian }, 'inner/file': '' });
  await rig.ok(['up'], { cwd });
  symlinkSync('nowhere', join(cwd, 'inner/devenv.json'));
  for (const args of [['down'], ['up'], ['stop'], ['exec', 'true']]) {
    const { exitCode, stderr } = await rig.devenv(args, { cwd: join(cwd, 'inner') });
    expect([exitCode, stderr]).toEqual([args[0] === 'exec' ? 125 : 2, expect.stringContaining('inner/devenv.json is a broken link')]);
  }
  await rig.ok(['exec', 'true'], { cwd });
});

test('an environment whose devenv.json is gone can be stopped and removed, from its folder and from elsewhere', async () => {
  const cwd = rig.project({ 'devenv.json': { image: debian }, 'sub/file': '' });
  const { containerId } = (await rig.ok(['up', '--json'], { cwd })).json as { containerId: string };
  rmSync(join(cwd, 'devenv.json'));
  const up = await rig.devenv(['up', '--json'], { cwd });
  expect([up.exitCode, up.json['code']]).toEqual([2, 'CONFIG_NOT_FOUND']);
  expect((await rig.ok(['ps'], { cwd })).stdout).toContain(cwd);
  await rig.ok(['stop'], { cwd: join(cwd, 'sub') });
  await rig.ok(['down'], { cwd });
  expect(traces(containerId)).toEqual([]);
  const none = await rig.devenv(['down', '--json'], { cwd });
  expect([none.exitCode, none.json['code']]).toEqual([2, 'CONFIG_NOT_FOUND']);

  const gone = rig.project({ 'devenv.json': { image: debian } });
  await rig.ok(['up'], { cwd: gone });
  rmSync(gone, { recursive: true });
  await rig.ok(['down', '--config', join(gone, 'devenv.json')], { cwd });
  expect((await rig.ok(['ps', '--json'], { cwd })).json['environments']).not.toContainEqual(expect.objectContaining({ folder: gone }));
});
