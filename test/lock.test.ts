import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { serveDebianArchive, type DebianArchive } from './debian-archive.ts';
import { debian, makeRig, type Rig } from './rig.ts';

// Only root can give this machine an address that steps reach.
const isRoot = process.getuid!() === 0;
let rig: Rig;
let archive: DebianArchive;
let project: string;

beforeAll(async () => {
  if (!isRoot) return;
  [rig, archive] = [await makeRig(), await serveDebianArchive()];
  archive.publish('1.0');
  // An image, so that what is locked is what the steps install, and not the whole of Debian.
  await rig.ok(['build', '--tag', 'ground:1'], { cwd: rig.project({ 'devenv.json': { image: debian } }) });
  project = rig.project({ 'sources.list': `${archive.source}\n`, 'devenv.json': config(['greeter']) });
  mkdirSync(join(rig.base, 'config'), { recursive: true });
  writeFileSync(join(rig.base, 'config/config.json'), JSON.stringify({ packages: { snapshots: archive.snapshots } }));
});

afterAll(async () => {
  await archive?.[Symbol.asyncDispose]();
  await rig?.[Symbol.asyncDispose]();
});

function config(packages: readonly string[]): object {
  const install = 'apt-get update && apt-get install -y --no-install-recommends greeter-words && rm -rf /var/lib/apt/lists/*';
  return {
    image: 'ground:1',
    steps: [
      { name: 'sources', copy: 'sources.list', to: '/etc/apt/sources.list' },
      { name: 'words', run: install },
      { name: 'greeter', apt: packages },
      { name: 'after', run: 'cat /usr/share/greeter/* > /greeting' },
    ],
  };
}

const lockText = (): string => readFileSync(join(project, 'devenv-lock.json'), 'utf8');
const forgetPackages = (): void => rmSync(join(rig.base, 'cache/packages'), { recursive: true, force: true });

test.runIf(isRoot)('a lock has every package that steps install', async () => {
  expect((await rig.devenv(['build', '--frozen'], { cwd: project })).exitCode).toBe(4);
  const locked = await rig.ok(['lock', '--json'], { cwd: project });
  expect(locked.json).toMatchObject({ outcome: 'success', layers: 4, packages: 2 });
  const text = lockText();
  const [platform] = Object.values(
    (JSON.parse(text) as { platforms: Record<string, { layers: { name: string; packages?: object }[] }> }).platforms,
  );
  expect(platform!.layers.map(({ name, packages }) => [name, packages && Object.keys(packages)])).toEqual([
    ['sources', undefined],
    ['words', ['greeter-words:all']],
    ['greeter', ['greeter:all']],
    ['after', undefined],
  ]);
});

test.runIf(isRoot)('the same layers come of a lock when the archive has moved on', async () => {
  const text = lockText();
  archive.publish('2.0');
  forgetPackages();
  await rig.ok(['build', '--frozen', '--no-cache'], { cwd: project });
  expect((await rig.ok(['run', '--frozen', 'cat', '/greeting'], { cwd: project })).stdout).toBe('1.0\n1.0\n');
  // What is here now was made from the lock after the archive moved: its digests are written down again.
  expect((await rig.ok(['lock'], { cwd: project })).stderr).toContain('nothing changed');
  expect(lockText()).toBe(text);
  expect((await rig.ok(['plan', '--json'], { cwd: project })).json).toMatchObject({ outdated: [] });
});

test.runIf(isRoot)('offline it builds from what is here, and says at once what is missing', async () => {
  await rig.ok(['build', '--offline', '--frozen', '--no-cache'], { cwd: project });
  const kept = join(rig.base, 'cache/packages');
  renameSync(kept, `${kept}-away`);
  const missing = await rig.devenv(['build', '--offline', '--no-cache', '--json'], { cwd: project });
  expect(missing).toMatchObject({ exitCode: 1, json: { code: 'OFFLINE' } });
  expect(missing.json['message']).toMatch(/greeter-words:all 1\.0[^]*greeter:all 1\.0/);
  renameSync(`${kept}-away`, kept);
});

test.runIf(isRoot)('a lock that does not cover the file is told, and refused when frozen', async () => {
  writeFileSync(join(project, 'devenv.json'), JSON.stringify(config(['greeter', 'greeter-words'])));
  const refused = await rig.devenv(['up', '--frozen', '--json'], { cwd: project });
  expect(refused).toMatchObject({ exitCode: 4, json: { code: 'LOCK_OUTDATED' } });
  expect(refused.json['message']).toContain('greeter is not locked as it is now');
  expect((await rig.devenv(['status', '--json'], { cwd: project })).json['outdated']).toContain('greeter is not locked as it is now');
  writeFileSync(join(project, 'devenv.json'), JSON.stringify(config(['greeter'])));
});

test.runIf(isRoot)(
  'an edited lock, a package with other bytes and an archive that vanished are refused before anything is installed',
  async () => {
    const text = lockText();
    const layers = join(rig.base, 'data/layers');
    const names = (): readonly string[] => readdirSync(layers).toSorted();
    const before = names();
    writeFileSync(join(project, 'devenv-lock.json'), text.replace('"version": "1.0"', '"version": "1.1"'));
    expect(await rig.devenv(['build', '--json'], { cwd: project })).toMatchObject({ exitCode: 2, json: { code: 'LOCK_INVALID' } });
    writeFileSync(join(project, 'devenv-lock.json'), text);
    forgetPackages();
    archive.loseSnapshots();
    expect(await rig.devenv(['build', '--no-cache', '--json'], { cwd: project })).toMatchObject({
      exitCode: 1,
      json: { code: 'PACKAGE_UNAVAILABLE' },
    });
    writeFileSync(archive.path('greeter-words', '1.0'), 'something else');
    const other = await rig.devenv(['build', '--no-cache', '--json'], { cwd: project });
    expect(other).toMatchObject({ exitCode: 1, json: { code: 'DIGEST_MISMATCH' } });
    rmSync(archive.path('greeter-words', '1.0'));
    expect(names()).toHaveLength(before.length + 2); /* of the copy before it, which ran twice */
  },
);

test.runIf(isRoot)('update moves the lock to what the archive has now, and says from what to what', async () => {
  expect((await rig.devenv(['update', 'nothing', '--json'], { cwd: project })).json).toMatchObject({ code: 'UNKNOWN_STEP' });
  const moved = await rig.ok(['update', '--json'], { cwd: project });
  expect(moved.json['changes']).toEqual(
    expect.arrayContaining([
      { what: 'greeter-words:all', from: '1.0', to: '2.0' },
      { what: 'greeter:all', from: '1.0', to: '2.0' },
    ]),
  );
  expect((await rig.ok(['run', '--frozen', 'cat', '/greeting'], { cwd: project })).stdout).toBe('2.0\n2.0\n');
});
