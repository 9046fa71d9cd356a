import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeNormalUser } from '../scripts/setup/normal-user.ts';
import { startRealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { serveDebianArchive, type DebianArchive } from './debian-archive.ts';
import { debian, launcher, makeEmptyRig, makeRig, runProcess, type Rig } from './rig.ts';

/** An image, so that what is locked is what the steps install, and not the whole of Debian. */
let ground: string;
let rig: Rig;

beforeAll(async () => {
  rig = await makeRig();
  const cwd = rig.project({ 'devenv.json': { image: debian } });
  await rig.ok(['build', '--tag', 'ground:1'], { cwd });
  chmodSync(rig.base, 0o755); // for the other user
  ground = join(rig.base, 'ground.tar');
  await rig.ok(['save', '-o', ground, 'ground:1'], { cwd });
});
afterAll(() => rig[Symbol.asyncDispose]());

type Machine = Pick<Rig, 'base' | 'devenv' | 'ok'> & AsyncDisposable & { own(folder: string): void };

function asRoot(): Machine {
  return { ...rig, own: () => undefined, [Symbol.asyncDispose]: async () => {} };
}

function asNormalUser(): Machine {
  const user = makeNormalUser();
  const base = join(user.home, 'devenv');
  const own = (folder: string): void => chownSync(folder, user.uid, user.gid);
  mkdirSync(base);
  own(base);
  const env = { ...user.env, PATH: process.env['PATH']!, DEVENV_BASE_DIR: base };
  const devenv: Rig['devenv'] = async (args, { cwd } = {}) => {
    const [program = '', ...words] = user.wrap([launcher, ...args]);
    const result = await runProcess(program, words, { env, cwd: cwd! });
    const last = result.stdout.trimEnd().split('\n').at(-1) ?? '';
    return { ...result, json: last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {} };
  };
  return {
    base,
    own,
    devenv,
    async ok(args, options) {
      const result = await devenv(args, options);
      if (result.exitCode !== 0)
        throw new Error(`devenv ${args.join(' ')} ended with ${result.exitCode}\n${result.stdout}\n${result.stderr}`);
      return result;
    },
    [Symbol.asyncDispose]: () => user.remove(),
  };
}

describe.each([
  ['root', asRoot],
  ['a normal user', asNormalUser],
])('as %s', (_who, makeMachine) => {
  let machine: Machine;
  let archive: DebianArchive;
  let cwd: string;

  beforeAll(async () => {
    [machine, archive] = [makeMachine(), await serveDebianArchive()];
    archive.publish('1.0');
    cwd = join(machine.base, 'shop');
    mkdirSync(cwd);
    machine.own(cwd);
    await machine.ok(['load', '-i', ground], { cwd });
    writeFileSync(join(cwd, 'sources.list'), `${archive.source}\n`);
    write(['greeter']);
    mkdirSync(join(machine.base, 'config'), { recursive: true });
    writeFileSync(join(machine.base, 'config/config.json'), JSON.stringify({ packages: { snapshots: archive.snapshots } }));
  });
  afterAll(async () => {
    await machine.devenv(['down', '--volumes'], { cwd });
    await archive[Symbol.asyncDispose]();
    await machine[Symbol.asyncDispose]();
  });

  function write(packages: readonly string[]): void {
    const install = 'apt-get update && apt-get install -y --no-install-recommends greeter-words && rm -rf /var/lib/apt/lists/*';
    const control = 'Package: homemade\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n';
    const own = `mkdir -p /p/DEBIAN && printf '${control}' > /p/DEBIAN/control && dpkg-deb -b /p /p.deb && dpkg -i /p.deb && rm -r /p /p.deb`;
    const steps = [
      { name: 'sources', copy: 'sources.list', to: '/etc/apt/sources.list' },
      { name: 'chance', run: 'head -c 16 /dev/urandom > /chance' },
      { name: 'words', run: install },
      { name: 'greeter', apt: packages },
      { name: 'after', run: 'cat /usr/share/greeter/* > /greeting' },
      { name: 'own', run: own },
      { name: 'last', apt: ['farewell'] },
    ];
    writeFileSync(join(cwd, 'devenv.json'), JSON.stringify({ image: 'ground:1', steps }));
  }
  const lockText = (): string => readFileSync(join(cwd, 'devenv-lock.json'), 'utf8');
  const lockedLayers = (): readonly LockedLayer[] => {
    const { platforms } = JSON.parse(lockText()) as { platforms: Record<string, { layers: LockedLayer[] }> };
    return Object.values(platforms)[0]!.layers;
  };
  const diffIds = (): Readonly<Record<string, string>> => Object.fromEntries(lockedLayers().map(({ name, diffId }) => [name, diffId]));
  const forgetPackages = (): void => rmSync(join(machine.base, 'cache/packages'), { recursive: true, force: true });
  const greeting = async (): Promise<string> => (await machine.ok(['run', '--frozen', 'cat', '/greeting'], { cwd })).stdout;

  test('a lock has every package that steps install', async () => {
    expect((await machine.devenv(['build', '--frozen'], { cwd })).exitCode).toBe(4);
    const locked = await machine.ok(['lock', '--json'], { cwd });
    expect(locked.json).toMatchObject({ outcome: 'success', layers: 7, packages: 3 });
    expect(locked.stderr).toContain('What "own" installs is not locked: no archive has homemade:all.');
    expect(lockedLayers().map(({ name, packages }) => [name, packages && Object.keys(packages)])).toEqual([
      ['sources', undefined],
      ['chance', undefined],
      ['words', ['greeter-words:all']],
      ['greeter', ['greeter:all']],
      ['after', undefined],
      ['own', undefined],
      ['last', ['farewell:all']],
    ]);
  });

  test('the same layers come of a lock when the archive has moved on', async () => {
    const text = lockText();
    archive.publish('2.0');
    forgetPackages();
    const verified = await machine.devenv(['verify', '--json'], { cwd });
    expect([verified.exitCode, verified.json['against']]).toEqual([3, 'lock']);
    const layers = verified.json['layers'] as { step: string; same: boolean }[];
    expect(layers.map(({ step, same }) => [step, same])).toEqual([
      ['sources', true],
      ['chance', false], // what it is called
      ['words', true],
      ['greeter', true],
      ['after', true],
      ['own', true],
      ['last', true],
    ]);
    expect(await greeting()).toBe('1.0\n1.0\n');
    expect((await machine.ok(['lock'], { cwd })).stderr).toContain('nothing changed');
    expect(lockText()).toBe(text);
    expect((await machine.ok(['plan', '--json'], { cwd })).json).toMatchObject({ outdated: [] });
  });

  test('an environment of a lock is what its file asks for', async () => {
    await machine.ok(['up', '--frozen'], { cwd });
    expect((await machine.ok(['status', '--json'], { cwd })).json).toMatchObject({ stale: false, changes: [], outdated: [] });
    expect((await machine.ok(['up', '--json'], { cwd })).json).toMatchObject({ action: 'unchanged' });
    expect((await machine.ok(['diff', 'env', 'lock', '--json'], { cwd })).json).toMatchObject({ same: true });
  });

  test('what the team has in its cache of steps needs no archive', async () => {
    await using registry = await startRealRegistry();
    const cache = `${registry.host}/team/cache`;
    await machine.ok(['build', '--frozen', '--cache-to', cache], { cwd });
    await using other = await makeEmptyRig();
    const files = ['devenv.json', 'devenv-lock.json', 'sources.list'].map((name) => [name, readFileSync(join(cwd, name), 'utf8')]);
    const elsewhere = other.project(Object.fromEntries(files));
    await other.ok(['load', '-i', ground], { cwd: elsewhere });
    expect((await other.devenv(['build', '--frozen', '--json'], { cwd: elsewhere })).json).toMatchObject({ code: 'PACKAGE_UNAVAILABLE' });
    await other.ok(['build', '--frozen', '--cache-from', cache], { cwd: elsewhere });
    expect((await other.ok(['diff', 'file', 'lock', '--json'], { cwd: elsewhere })).json).toMatchObject({ same: true });
  });

  test('offline it builds from what is here, and says at once what is missing', async () => {
    await machine.ok(['build', '--offline', '--frozen', '--no-cache'], { cwd });
    const kept = join(machine.base, 'cache/packages');
    renameSync(kept, `${kept}-away`);
    const missing = await machine.devenv(['build', '--offline', '--no-cache', '--json'], { cwd });
    expect(missing).toMatchObject({ exitCode: 1, json: { code: 'OFFLINE' } });
    expect(missing.json['message']).toMatch(/greeter-words:all 1\.0[^]*greeter:all 1\.0/);
    renameSync(`${kept}-away`, kept);
  });

  test('a lock that does not cover the file is told, and refused when frozen', async () => {
    write(['greeter', 'greeter-words']);
    const refused = await machine.devenv(['up', '--frozen', '--json'], { cwd });
    expect(refused).toMatchObject({ exitCode: 4, json: { code: 'LOCK_OUTDATED' } });
    expect(refused.json['message']).toContain('greeter has changed since it was locked');
    expect((await machine.devenv(['status', '--json'], { cwd })).json['outdated']).toContain('greeter has changed since it was locked');
    write(['greeter']);
  });

  test('an edited lock, a package with other bytes and an archive that vanished are refused before anything is installed', async () => {
    const text = lockText();
    const layers = (): readonly string[] => readdirSync(join(machine.base, 'data/layers'));
    const before = layers();
    writeFileSync(join(cwd, 'devenv-lock.json'), text.replace('"version": "1.0"', '"version": "1.1"'));
    for (const command of ['build', 'lock', 'update', 'verify'])
      expect(await machine.devenv([command, '--json'], { cwd })).toMatchObject({ exitCode: 2, json: { code: 'LOCK_INVALID' } });
    expect((await machine.devenv(['diff', 'env', 'lock', '--json'], { cwd })).json).toMatchObject({ code: 'LOCK_INVALID' });
    writeFileSync(join(cwd, 'devenv-lock.json'), text);
    expect(layers()).toEqual(before);
    const kept = join(machine.base, 'cache/packages');
    renameSync(kept, `${kept}-away`);
    archive.loseSnapshots();
    const gone = await machine.devenv(['build', '--no-cache', '--json'], { cwd });
    expect(gone).toMatchObject({ exitCode: 1, json: { code: 'PACKAGE_UNAVAILABLE' } });
    expect(gone.json['message']).toMatch(/greeter-words:all 1\.0 [^]*pool\/greeter-words_1\.0_all\.deb answers with 404[^]*\/snapshots\//);
    writeFileSync(archive.path('greeter-words', '1.0'), 'something else');
    const other = await machine.devenv(['build', '--no-cache', '--json'], { cwd });
    expect(other).toMatchObject({ exitCode: 1, json: { code: 'DIGEST_MISMATCH' } });
    rmSync(archive.path('greeter-words', '1.0'));
    expect(layers()).toHaveLength(before.length + 4); // of the two steps before, which ran twice
    forgetPackages();
    renameSync(`${kept}-away`, kept);
  });

  test('update moves the lock to what the archive has now, and says from what to what', async () => {
    expect((await machine.devenv(['update', 'nothing', '--json'], { cwd })).json).toMatchObject({ code: 'UNKNOWN_STEP' });
    const [before, text] = [diffIds(), lockText()];
    const alone = await machine.devenv(['update', 'greeter-words', '--json'], { cwd });
    expect(alone.json).toMatchObject({ code: 'STEP_FAILED', hint: expect.stringContaining('devenv update "greeter"') as string });
    expect(lockText()).toBe(text);
    const moved = await machine.ok(['update', 'farewell', '--json'], { cwd });
    expect(moved.json['changes']).toEqual([{ what: 'farewell:all', from: '1.0', to: '2.0' }]);
    expect(diffIds()).toEqual({ ...before, last: diffIds()['last'] });
    const all = await machine.ok(['update', '--json'], { cwd });
    expect(all.json['changes']).toEqual([
      { what: 'greeter-words:all', from: '1.0', to: '2.0' },
      { what: 'greeter:all', from: '1.0', to: '2.0' },
      { what: 'chance', from: before['chance'], to: diffIds()['chance'] },
      { what: 'after', from: before['after'], to: diffIds()['after'] },
      { what: 'own', from: before['own'], to: diffIds()['own'] }, // dpkg's database is one file
    ]);
    expect(await greeting()).toBe('2.0\n2.0\n');
    // What has not moved is not made another layer: who works in the environment is not asked to leave it.
    await machine.ok(['up'], { cwd });
    expect((await machine.ok(['update', 'farewell', '--json'], { cwd })).json['changes']).toEqual([]);
    expect((await machine.ok(['status', '--json'], { cwd })).json).toMatchObject({ stale: false });
  });
});

interface LockedLayer {
  readonly name: string;
  readonly diffId: string;
  readonly packages?: object;
}
