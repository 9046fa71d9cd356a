import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { debian, makeEmptyRig, makeRig, type Result, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

interface Difference {
  readonly name: string;
  readonly where: string;
  readonly what?: readonly string[];
  readonly package?: string;
  readonly counts: boolean;
}

let rig: Rig;
let registry: RealRegistry;
let cwd: string;

const production = (): string => `${registry.host}/team/shop:1`;

/** A package without a compiler or an archive: what a step installs is what dpkg knows. */
const install = (version: string): string =>
  [
    'mkdir -p /tmp/p/DEBIAN /tmp/p/usr/share/greet',
    `echo ${version} > /tmp/p/usr/share/greet/text`,
    `printf 'Package: greet\\nVersion: ${version}\\nArchitecture: all\\nMaintainer: a <a@b>\\nDescription: x\\n' > /tmp/p/DEBIAN/control`,
    'dpkg-deb --root-owner-group --build /tmp/p /tmp/greet.deb && dpkg -i /tmp/greet.deb && rm -r /tmp/p /tmp/greet.deb',
  ].join(' && ');

const shop = (version: string): object => ({
  name: 'shop',
  image: debian,
  steps: [
    { env: { MODE: 'production', PORT: '80' } },
    { name: 'greet', run: install(version) },
    { name: 'app', run: 'echo app > /srv/app' },
  ],
});

beforeAll(async () => {
  rig = await makeRig();
  registry = await startRealRegistry();
  await rig.ok(['build', '--tag', production(), '--push'], { cwd: rig.project({ 'devenv.json': shop('1.0') }, 'shop') });
  cwd = rig.project({
    'devenv.json': {
      image: production(),
      env: { EDITOR: 'vi' },
      user: 'dev',
      steps: [{ name: 'tools', run: 'mkdir /opt/tools && echo x > /opt/tools/debug' }],
    },
  });
  await rig.ok(['up'], { cwd });
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

function differences(result: Result, section: string): readonly Difference[] {
  const sections = result.json['sections'] as { name: string; differences: Difference[] }[];
  return sections.find(({ name }) => name === section)!.differences;
}

/** Name, side, ways. */
function brief(result: Result, section: string): string[] {
  return differences(result, section).map(({ name, where, what }) => [name, where, ...(what ?? [])].join(' '));
}

test('alone it tells what was changed by hand: nothing at first; then each file and in which way', async () => {
  expect((await rig.ok(['diff', '--json'], { cwd })).json).toMatchObject({ same: true });
  const script = 'echo more >> /srv/app; chmod 700 /srv; rm /opt/tools/debug; ln -s x /usr/local/link; touch /etc/ünï';
  await rig.ok(['exec', '-u', 'root', 'sh', '-c', script], { cwd });
  const result = await rig.devenv(['diff', '--json'], { cwd });
  expect([result.exitCode, result.json['same'], brief(result, 'files')]).toEqual([
    3,
    false,
    ['/etc/ünï a', '/opt/tools/debug b', '/srv both mode', '/srv/app both content', '/usr/local/link a'],
  ]);
  const text = await rig.devenv(['diff'], { cwd });
  expect(text.stdout).toMatch(/^A {2}the environment .*\nB {2}its image\n/);
  expect(text.stdout).toMatch(/\/srv\/app +content +file 0644 0:0 9 bytes → file 0644 0:0 4 bytes/);
  expect(text.stdout).toMatch(/^Different: files, size$/m);
});

test('an environment is the clone of production as long as it has all of it unchanged; what it has besides is told', async () => {
  await rig.ok(['down'], { cwd });
  await rig.ok(['up'], { cwd });
  const result = await rig.devenv(['diff', `prod:${production()}`, '--json', '--fail-on', 'files', '--fail-on', 'packages'], { cwd });
  expect(brief(result, 'files').filter((line) => / b| both/.test(line) && !/passwd|group|shadow|subuid|subgid/.test(line))).toEqual([]);
  expect([result.exitCode, brief(result, 'packages'), brief(result, 'environment')]).toEqual([0, [], ['EDITOR a']]);
  expect(brief(result, 'files')).toContain('/opt/tools/debug a');
  // The user is another one, and says so.
  expect(brief(result, 'user')).toEqual(['user both']);
  expect((await rig.devenv(['diff', `prod:${production()}`], { cwd })).exitCode).toBe(3);
  const strict = await rig.devenv(['diff', `image:${production()}`, '--only', 'environment'], { cwd });
  expect([strict.exitCode, strict.stdout]).toEqual([3, expect.stringMatching(/EDITOR +only in A +vi/)]);
  await rig.ok(['exec', '-u', 'root', 'sh', '-c', 'rm /srv/app'], { cwd });
  const lost = await rig.devenv(['diff', `prod:${production()}`, '--json', '--fail-on', 'files'], { cwd });
  expect([lost.exitCode, differences(lost, 'files').filter(({ counts }) => counts)]).toEqual([
    3,
    [expect.objectContaining({ name: '/srv/app', where: 'b' })],
  ]);
});

test('production has moved on: packages with their versions, variables, and files with the package they came with', async () => {
  await using other = await makeRig();
  const next = `${registry.host}/team/shop:2`;
  const file = shop('2.0') as { steps: object[] };
  const steps = [{ env: { MODE: 'production', PORT: '8080', API_KEY: 'not for the log' } }, ...file.steps.slice(1)];
  await other.ok(['build', '--tag', next, '--push'], { cwd: other.project({ 'devenv.json': { ...file, steps } }) });
  const asked = ['diff', `prod:${next}`, '--fail-on', 'packages'];
  const result = await rig.devenv([...asked, '--json'], { cwd });
  expect(differences(result, 'packages')).toEqual([{ name: 'greet', where: 'both', a: '1.0', b: '2.0', counts: true }]);
  expect(brief(result, 'environment')).toEqual(['API_KEY b', 'EDITOR a', 'PORT both']);
  expect(differences(result, 'files')).toContainEqual(
    expect.objectContaining({ name: '/usr/share/greet/text', package: 'greet', what: ['content'] }),
  );
  const text = await rig.devenv(asked, { cwd });
  expect([text.exitCode, text.stdout]).toEqual([3, expect.stringMatching(/packages {2}1 differ\n {2}greet {2}1\.0 → 2\.0\n/)]);
  expect(text.stdout + result.stdout).not.toMatch(/not for the log/);
});

test('equal digests need no download, and of two images only what is not here travels', async () => {
  await using own = await makeEmptyRig();
  const folder = own.project({ 'a.txt': '' });
  const layout = join(own.base, 'source');
  writeBusyboxLayout(layout);
  const put = (tag: string): void =>
    void registry.skopeo('copy', '-q', '--dest-tls-verify=false', `oci:${layout}:image`, `docker://${registry.host}/${tag}`);
  put('team/busy:1');
  put('other/busy:2');
  const [one, two] = [`${registry.host}/team/busy:1`, `${registry.host}/other/busy:2`];
  const same = await own.ok(['diff', one, two, '--progress', 'json', '--json'], { cwd: folder });
  expect([same.json['same'], same.stderr]).toEqual([true, expect.not.stringMatching(/"transfer"/)]);
  expect((await own.ok(['images', '--json'], { cwd: folder })).json['images']).toEqual([]);

  writeBusyboxLayout(join(own.base, 'later'), 'good evening');
  const later = join(own.base, 'later');
  const against = await own.devenv(['diff', one, later, '--progress', 'json', '--json'], { cwd: folder });
  expect([against.exitCode, brief(against, 'files')]).toEqual([3, ['/etc/greeting both content']]);
  expect(against.stderr).toMatch(/"transfer"/);
});

test('an archive is compared where it lies; a damaged one is refused', async () => {
  await using own = await makeEmptyRig();
  const folder = own.project({ 'a.txt': '' });
  writeBusyboxLayout(join(own.base, 'source'));
  execFileSync('skopeo', ['copy', '-q', `oci:${join(own.base, 'source')}:image`, `docker-archive:${join(folder, 'busy.tar')}:busy:1`]);
  await own.ok(['load', '-i', 'busy.tar'], { cwd: folder });
  expect((await own.ok(['diff', 'busy.tar', 'busy:1', '--json'], { cwd: folder })).json).toMatchObject({ same: true, b: 'busy:1' });
  const bytes = readFileSync(join(folder, 'busy.tar'));
  const at = bytes.indexOf('hello\n');
  bytes.write('hellO\n', at);
  writeFileSync(join(folder, 'bad.tar'), bytes);
  const bad = await own.devenv(['diff', './bad.tar', 'busy:1', '--json'], { cwd: folder });
  expect(bad.json).toMatchObject({ outcome: 'error', code: expect.stringMatching(/DIGEST_MISMATCH|BAD_ARCHIVE/) as string });
  expect((await own.devenv(['diff', './none.tar', 'busy:1', '--json'], { cwd: folder })).json).toMatchObject({ code: 'IMAGE_NOT_FOUND' });
});

test('a lock is compared by the layers that it names, as far as they are here', async () => {
  await using own = await makeEmptyRig();
  writeBusyboxLayout(join(own.base, 'source'));
  const image = { layout: '../../source' };
  const steps = [{ name: 'one', run: 'echo one > /one' }, { env: { A: 'b' } }];
  const folder = own.project({ 'devenv.json': { image, steps } });
  const compare = async (...words: string[]): Promise<Result> => own.devenv(['diff', ...words, '--json'], { cwd: folder });
  expect((await compare('file', 'lock')).json).toMatchObject({ code: 'NOT_BUILT' });
  await own.ok(['lock'], { cwd: folder });
  const same = await compare('file', 'lock');
  expect([same.exitCode, same.json['same'], same.json['b']]).toEqual([0, true, 'devenv-lock.json']);
  expect((same.json['sections'] as { name: string; notCompared?: string }[]).find(({ name }) => name === 'environment')).toMatchObject({
    notCompared: expect.any(String) as string,
  });

  await own.ok(['up'], { cwd: folder });
  await own.ok(['exec', '-u', 'root', 'sh', '-c', 'echo two > /one'], { cwd: folder });
  const changed = await compare('env', 'lock');
  expect([changed.exitCode, brief(changed, 'files')]).toEqual([3, ['/one both content']]);

  // Two locks: that of before, by its path, and that of now.
  execFileSync('mv', ['devenv-lock.json', 'old-lock.json'], { cwd: folder });
  writeFileSync(join(folder, 'devenv.json'), JSON.stringify({ image, steps: [...steps, { name: 'two', run: 'echo two > /two' }] }));
  await own.ok(['lock'], { cwd: folder });
  const moved = await compare('./old-lock.json', 'lock');
  expect([moved.exitCode, moved.json['a'], brief(moved, 'files')]).toEqual([3, 'old-lock.json', ['/two b']]);
  await using other = await makeEmptyRig();
  expect((await other.devenv(['diff', 'file', join(folder, 'old-lock.json'), '--json'], { cwd: folder })).json).toMatchObject({
    code: 'NOT_BUILT',
  });
});

test('what is not here is said: no environment, a file whose steps have not run, no such image or section', async () => {
  const folder = rig.project({ 'devenv.json': { image: debian, steps: [{ name: 'new', run: 'echo never > /never' }] } });
  const code = async (...words: string[]): Promise<unknown> =>
    (await rig.devenv(['diff', ...words, '--json'], { cwd: folder })).json['code'];
  expect(await code()).toBe('NOT_RUNNING');
  expect(await code('file', production())).toBe('NOT_BUILT');
  expect(await code(production(), `${registry.host}/team/none:1`)).toBe('IMAGE_NOT_FOUND');
  expect((await rig.devenv(['diff', '--only', 'nothing'], { cwd: folder })).exitCode).toBe(2);
});
