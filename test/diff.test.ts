import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startRealRegistry, type RealRegistry } from '../packages/core/src/registry/real-registry.suite.ts';
import { debian, makeEmptyRig, makeRig, runProcess, type Result, type Rig } from './rig.ts';
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

// umoci keeps owners for root only.
test.skipIf(process.getuid!() !== 0)('diffoscope names the same files', async () => {
  await using own = await makeEmptyRig();
  writeBusyboxLayout(join(own.base, 'source'));
  const image = { layout: '../../source' };
  const common =
    'mkdir -p /d/e; echo same > /d/same; echo old > "/d/ünï cödé"; echo x > /d/mode; echo x > /d/owner; ln -s a /d/link; busybox mkfifo /d/pipe';
  const changes =
    'echo new > "/d/ünï cödé"; busybox chmod 4711 /d/mode; busybox chown 7:8 /d/owner; ln -sfn b /d/link; busybox rm -r /d/e /d/pipe; echo > /d/new';
  const steps = [{ run: common }, { run: changes }];
  for (const name of ['a', 'b']) {
    const folder = own.project({ 'devenv.json': { image, steps: steps.slice(0, name === 'a' ? 1 : 2) } }, name);
    await own.ok(['build', '--tag', name], { cwd: folder });
    await own.ok(['save', '--format', 'oci-layout', '-o', join(own.base, name), name], { cwd: folder });
    const inside = (...words: string[]): string => execFileSync(words[0]!, words.slice(1), { cwd: own.base, encoding: 'utf8' });
    const [tag = ''] = inside('umoci', 'ls', '--layout', name).split('\n');
    inside('umoci', 'unpack', '--image', `${name}:${tag}`, `unpacked-${name}`);
    inside('tar', '--sort=name', '-C', `unpacked-${name}/rootfs`, '-cf', `${name}.tar`, '.');
  }
  const ours = await own.devenv(['diff', './a', './b', '--only', 'files', '--json'], { cwd: own.base });
  const { stdout } = await runProcess('diffoscope', ['--json', '-', 'a.tar', 'b.tar'], { cwd: own.base });
  const expected = ['e', 'link', 'mode', 'new', 'owner', 'pipe', 'ünï cödé'].map((name) => `/d/${name}`);
  expect([
    brief(ours, 'files')
      .map((line) => line.replace(/ (?:a|b|both.*)$/, ''))
      .toSorted(),
    namesOf(stdout),
  ]).toEqual([expected, expected]);
});

/** What diffoscope found of two archives: in their listings, and by contents. */
function namesOf(json: string): string[] {
  const { details } = JSON.parse(json) as { details: { source1: string; unified_diff: string | null }[] };
  const listed = details[0]!
    .unified_diff!.split('\n')
    .flatMap((line) => /^[-+](?!--|\+\+).* \.(\/.*?)\/?(?: -> .*)?$/.exec(line)?.[1] ?? []);
  const contents = details.slice(1).map(({ source1 }) => source1.slice(1).replace(/\/$/, ''));
  return [...new Set([...listed, ...contents])].toSorted();
}

test('what is not here is said: no environment, a file whose steps have not run, no such image or section', async () => {
  const folder = rig.project({ 'devenv.json': { image: debian, steps: [{ name: 'new', run: 'echo never > /never' }] } });
  const code = async (...words: string[]): Promise<unknown> =>
    (await rig.devenv(['diff', ...words, '--json'], { cwd: folder })).json['code'];
  expect(await code()).toBe('NOT_RUNNING');
  expect(await code('file', production())).toBe('NOT_BUILT');
  expect(await code(production(), `${registry.host}/team/none:1`)).toBe('IMAGE_NOT_FOUND');
  expect((await rig.devenv(['diff', '--only', 'nothing'], { cwd: folder })).exitCode).toBe(2);
});
