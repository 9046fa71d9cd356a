import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeNormalUser, type NormalUser } from '../scripts/setup/normal-user.ts';
import { launcher, runProcess, type Result } from './rig.ts';

/** Root and a normal user beside each other: what has to be equal, and how what is of one does not reach the other. */
let user: NormalUser;
let scratch: string;
let image: string;

beforeAll(async () => {
  user = makeNormalUser();
  scratch = mkdtempSync(join(tmpdir(), 'devenv-rootless-'));
  execFileSync('chmod', ['755', scratch]);
  image = makeImage(join(scratch, 'image'));
});
afterAll(async () => {
  await user.remove();
  rmSync(scratch, { recursive: true, force: true });
});

/** Of busybox, with what a user namespace cannot hold: a device node and ids beyond any range; and with file capabilities. */
function makeImage(folder: string): string {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'etc'));
  mkdirSync(join(root, 'opt'));
  cpSync('/bin/busybox', join(root, 'bin/busybox'));
  execFileSync('/bin/busybox', ['--install', '-s', join(root, 'bin')]);
  for (const name of readdirSync(join(root, 'bin')))
    if (name !== 'busybox') execFileSync('ln', ['-sf', 'busybox', join(root, 'bin', name)]);
  writeFileSync(join(root, 'etc/passwd'), 'root:x:0:0::/:/bin/sh\ndev:x:1000:1000::/home/dev:/bin/sh\n');
  writeFileSync(join(root, 'etc/group'), 'root:x:0:\ndev:x:1000:\n');
  writeFileSync(join(root, 'opt/foreign'), 'x');
  execFileSync('cp', [join(root, 'bin/busybox'), join(root, 'opt/capable')]);
  execFileSync('mknod', [join(root, 'opt/null'), 'c', '1', '3']);
  execFileSync('chown', ['3000000:3000001', join(root, 'opt/foreign')]);
  execFileSync('setcap', ['cap_net_raw+ep', join(root, 'opt/capable')]);
  const layer = join(folder, 'layer.tar');
  execFileSync('tar', [
    '--xattrs',
    '--xattrs-include=security.capability',
    '--sort=name',
    '--mtime=@1700000000',
    '-cf',
    layer,
    '-C',
    root,
    '.',
  ]);
  const diffId = `sha256:${createHash('sha256').update(readFileSync(layer)).digest('hex')}`;
  const config = JSON.stringify({
    architecture: 'amd64',
    os: 'linux',
    config: { Env: ['PATH=/bin'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  writeFileSync(join(folder, 'config.json'), config);
  writeFileSync(join(folder, 'manifest.json'), JSON.stringify([{ Config: 'config.json', RepoTags: ['foreign:1'], Layers: ['layer.tar'] }]));
  const archive = join(scratch, 'image.tar');
  execFileSync('tar', ['-cf', archive, '-C', folder, 'manifest.json', 'config.json', 'layer.tar']);
  return archive;
}

const steps = [
  { run: 'mkdir -p /srv/data && echo made > /srv/data/file && chown -R 1000:1000 /srv && chmod 2750 /srv/data' },
  { run: 'rm /opt/foreign; ln -s nowhere /srv/link; echo 1 > /srv/a; ln /srv/a /srv/b; mkdir /made; chmod 4711 /srv/a' },
];

/** A folder of its own for one of the two, with the same project in it. */
function project(name: string, owner?: NormalUser): string {
  const folder = join(scratch, name);
  mkdirSync(folder);
  cpSync(image, join(folder, 'image.tar'));
  writeFileSync(join(folder, 'devenv.json'), JSON.stringify({ image: { archive: 'image.tar' }, steps, user: 'dev' }));
  if (owner) execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, folder]);
  return folder;
}

async function asUser(cwd: string, args: readonly string[], base = user.home): Promise<Omit<Result, 'json'>> {
  const [program = '', ...words] = user.wrap([launcher, ...args]);
  return await runProcess(program, words, { cwd, env: { ...user.env, PATH: process.env['PATH']!, DEVENV_BASE_DIR: join(base, 'base') } });
}

function asRoot(cwd: string, args: readonly string[]): Promise<Omit<Result, 'json'>> {
  return runProcess(launcher, args, { cwd, env: { PATH: process.env['PATH']!, HOME: scratch, DEVENV_BASE_DIR: join(scratch, 'base') } });
}

test('layers of steps are the same for root and for a normal user, and so is what a namespace cannot hold when it is written out', async () => {
  const [mine, theirs] = [project('root'), project('user', user)];
  const digests = async (run: typeof asRoot, cwd: string): Promise<unknown> => {
    expect(await run(cwd, ['build', '--tag', 'localhost/both:1'])).toMatchObject({ exitCode: 0 });
    expect(await run(cwd, ['save', '--format', 'oci-layout', '-o', join(cwd, 'layout'), 'localhost/both:1'])).toMatchObject({
      exitCode: 0,
    });
    const blob = (digest: string): Record<string, never> =>
      JSON.parse(readFileSync(join(cwd, 'layout/blobs', digest.replace(':', '/')), 'utf8')) as Record<string, never>;
    const index = JSON.parse(readFileSync(join(cwd, 'layout/index.json'), 'utf8')) as { manifests: { digest: string }[] };
    const manifest = blob(index.manifests[0]!.digest) as unknown as { config: { digest: string } };
    return (blob(manifest.config.digest) as unknown as { rootfs: { diff_ids: string[] } }).rootfs.diff_ids;
  };
  const [ours, others] = [await digests(asRoot, mine), await digests(asUser, theirs)];
  expect(others).toEqual(ours);
  expect(ours).toHaveLength(4);
});

test('a normal user who imports a directory is told of files whose owner only root sees', async () => {
  const root = join(scratch, 'import');
  mkdirSync(join(root, 'etc'), { recursive: true });
  writeFileSync(join(root, 'etc/mine'), '');
  execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, root]);
  expect((await asUser(scratch, ['import', root, 'mine:1'])).stderr).not.toMatch(/nobody/);
  writeFileSync(join(root, 'etc/roots'), '');
  expect((await asUser(scratch, ['import', root, 'mine:2'])).stderr).toMatch(/1 of the files belong to nobody .*etc\/roots.*fakeroot/);
});

test('a normal user who exports a tree is told of what its files cannot hold, and commit and save keep it', async () => {
  const folder = project('exported', user);
  expect(await asUser(folder, ['up'])).toMatchObject({ exitCode: 0 });
  const told = await asUser(folder, ['export', '-o', join(folder, 'fs.tar')]);
  expect(told.stderr).toMatch(/The archive lacks device nodes .*: opt\/null\. devenv commit/);
  expect(await asUser(folder, ['commit', 'kept:1'])).toMatchObject({ exitCode: 0 });
  await asUser(folder, ['save', '--format', 'oci-layout', '-o', join(folder, 'kept'), 'kept:1']);
  const listed = readdirSync(join(folder, 'kept/blobs/sha256')).map((blob) =>
    execFileSync('sh', ['-c', 'tar -tvf "$0" 2>/dev/null || true', join(folder, 'kept/blobs/sha256', blob)], { encoding: 'utf8' }),
  );
  expect(listed.join('')).toMatch(/^crw.* 1,3 .*opt\/null$/m);
  expect(await asUser(folder, ['down'])).toMatchObject({ exitCode: 0 });
});

test("a file saved inside by the container's user is the normal user's outside, and the other way round", async () => {
  const folder = project('owned', user);
  expect(await asUser(folder, ['up'])).toMatchObject({ exitCode: 0 });
  const { stdout } = await asUser(folder, [
    'exec',
    'sh',
    '-c',
    'id -u; touch made; stat -c %u devenv.json made; cat /proc/self/uid_map | wc -l',
  ]);
  expect(stdout.split('\n').slice(0, 3)).toEqual(['1000', '1000', '1000']);
  expect(statSync(join(folder, 'made')).uid).toBe(user.uid);
});

test('the environment outlives the process that holds the namespace, which comes back and goes with the last environment', async () => {
  const folder = join(scratch, 'owned');
  const holder = (): number => (JSON.parse(readFileSync(join(user.home, 'base/runtime/holder.json'), 'utf8')) as { pid: number }).pid;
  const first = holder();
  process.kill(first, 'SIGKILL');
  expect(await asUser(folder, ['exec', 'id', '-u'])).toMatchObject({ exitCode: 0, stdout: '1000\n' });
  expect(holder()).not.toBe(first);
  expect(await asUser(folder, ['down'])).toMatchObject({ exitCode: 0 });
  expect(existsSync(join(user.home, 'base/runtime/holder.json'))).toBe(false);
  expect(execFileSync('sh', ['-c', `ps -o args= -u ${user.uid} | grep -v defunct || true`], { encoding: 'utf8' })).toBe('');
});

test('one id alone is enough for an image, is named, and refuses what it cannot make', async () => {
  const folder = project('single', user);
  const saved = ['/etc/subuid', '/etc/subgid'].map((path) => [path, readFileSync(path, 'utf8')] as const);
  try {
    for (const [path, text] of saved)
      writeFileSync(
        path,
        text
          .split('\n')
          .filter((line) => !line.startsWith(`${user.name}:`))
          .join('\n'),
      );
    writeFileSync(join(folder, 'devenv.json'), JSON.stringify({ image: { archive: 'image.tar' } }));
    const base = join(user.home, 'single');
    const up = await asUser(folder, ['up'], base);
    expect([up.exitCode, up.stderr]).toEqual([0, expect.stringContaining('single-id mode')]);
    expect(await asUser(folder, ['exec', 'sh', '-c', 'id -u; touch made'], base)).toMatchObject({ exitCode: 0, stdout: '0\n' });
    expect(statSync(join(folder, 'made')).uid).toBe(user.uid);
    const doctor = await asUser(folder, ['doctor'], base);
    expect(doctor.stdout).toContain('usermod --add-subuids');
    expect(await asUser(folder, ['down'], base)).toMatchObject({ exitCode: 0 });
    writeFileSync(join(folder, 'devenv.json'), JSON.stringify({ image: { debian: 'bookworm' } }));
    const refused = await asUser(folder, ['up'], base);
    expect([refused.exitCode, refused.stderr]).toEqual([2, expect.stringContaining('single-id mode')]);
  } finally {
    for (const [path, text] of saved) writeFileSync(path, text);
  }
});

test('an id that no account has can use devenv, as orchestrators give one', async () => {
  const [id, base] = [65_533, join(scratch, 'nobody')];
  mkdirSync(base);
  execFileSync('chown', [String(id), base]);
  writeFileSync(join(base, 'devenv.json'), JSON.stringify({ image: { archive: image } }));
  const args = [`--reuid=${id}`, `--regid=${id}`, '--clear-groups', 'env', '-i', `PATH=${process.env['PATH']}`, `HOME=${base}`, launcher];
  const devenv = (...words: readonly string[]): Promise<Omit<Result, 'json'>> => runProcess('setpriv', [...args, ...words], { cwd: base });
  const found = await devenv('doctor');
  expect([found.stderr, found.stdout]).toEqual(['', expect.stringContaining(`echo ${id}:100000:65536 | sudo tee -a /etc/subuid`)]);
  expect(await devenv('ps')).toMatchObject({ exitCode: 0 });
  expect(await devenv('run', '--', 'id', '-u')).toMatchObject({ exitCode: 0, stdout: '0\n' });
  await devenv('down');
});
