import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launcher, makeEmptyRig, runProcess, type Rig } from './rig.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

let rig: Rig;
let cwd: string; // its environment runs
let aside: string; // without a devenv.json

beforeAll(async () => {
  rig = await makeEmptyRig();
  writeBusyboxLayout(join(rig.base, 'source'));
  cwd = rig.project({
    'devenv.json': {
      name: 'hand',
      image: { layout: '../../source' },
      steps: [{ name: 'one', run: 'echo one > /one' }],
      mounts: [{ type: 'tmpfs', target: '/scratch/pad' }],
    },
    'in-workspace': 'host\n',
  });
  aside = rig.project({ 'a.txt': 'from the host\n' });
  await rig.ok(['load', join(rig.base, 'source'), '--json']);
  await rig.ok(['up'], { cwd });
});
afterAll(async () => {
  await rig.devenv(['rm', '-f', 'evil']);
  await rig[Symbol.asyncDispose]();
});

test('an environment that was changed by hand becomes an image: the changes, and nothing of the workspace or of mounts', async () => {
  await rig.ok(['exec', 'sh', '-c', 'echo by hand > /made; busybox rm /etc/greeting; echo x > /scratch/pad/y; echo z > /workspace/z'], {
    cwd,
  });
  const flags = ['-m', 'try it', '--author', 'me', '--change', 'ENV A=1', '-c', 'CMD ["sh", "-c", "cat /made; echo $A"]'];
  const live = await rig.ok(['commit', '--live', ...flags, 'hand:live', '--json'], { cwd });
  const stopped = await rig.ok(['commit', ...flags, 'hand:stopped'], { cwd });
  expect(stopped.stderr).toMatch(/hand:stopped is [0-9a-f]{12}/);
  for (const name of ['hand:live', 'hand:stopped']) {
    expect((await rig.ok(['run', name], { cwd: aside })).stdout).toBe('by hand\n1\n');
    const script =
      'cat /one; busybox ls -A /workspace; for name in /etc/greeting /scratch; do busybox test -e $name && echo $name; done; echo end';
    expect((await rig.ok(['run', '--image', name, 'sh', '-c', script], { cwd: aside })).stdout).toBe('one\nend\n');
  }
  expect((await rig.ok(['history', 'hand:live'])).stdout).toMatch(/devenv commit hand-\S+ # try it[^]*one # devenv/);
  expect(String(live.json['name'])).toBe('hand:live');
  // It runs again, and has what it had.
  expect((await rig.ok(['exec', 'cat', '/made'], { cwd })).stdout).toBe('by hand\n');
});

test('its file system is exported as a tar without what is mounted in it, and imported again', async () => {
  await rig.ok(['export', '-o', join(rig.base, 'fs.tar')], { cwd });
  const names = execFileSync('tar', ['-tf', join(rig.base, 'fs.tar')], { encoding: 'utf8' }).split('\n');
  expect(names).toEqual(expect.arrayContaining(['./', 'one', 'bin/busybox', 'workspace/', 'scratch/pad/', 'etc/hosts']));
  expect(names.filter((name) => /^(?:workspace|scratch\/pad|proc|dev|sys)\/./.test(name))).toEqual([]);
  await rig.ok(['import', join(rig.base, 'fs.tar'), 'again']);
  expect((await rig.ok(['run', 'again', '/bin/cat', '/one'], { cwd: aside })).stdout).toBe('one\n');
});

test('files are copied as docker cp has it, both ways, running or stopped', async () => {
  mkdirSync(join(aside, 'tree/deep'), { recursive: true });
  writeFileSync(join(aside, 'tree/deep/file'), 'deep\n');
  symlinkSync('deep/file', join(aside, 'tree/link'));
  await rig.ok(['cp', join(aside, 'tree'), ':/new'], { cwd });
  await rig.ok(['cp', join(aside, 'tree'), ':/new'], { cwd });
  await rig.ok(['cp', `${aside}/tree/.`, ':/tmp'], { cwd });
  const told = await rig.ok(['exec', 'sh', '-c', 'cat /new/link /new/tree/link /tmp/link; busybox stat -c %u /new/deep/file'], { cwd });
  expect(told.stdout).toBe('deep\ndeep\ndeep\n0\n');
  await rig.ok(['cp', ':/new', join(aside, 'out')], { cwd });
  await rig.ok(['cp', ':/one', `${aside}/`], { cwd });
  expect([readFileSync(join(aside, 'out/tree/deep/file'), 'utf8'), readlinkSync(join(aside, 'out/link'))]).toEqual(['deep\n', 'deep/file']);
  expect(readFileSync(join(aside, 'one'), 'utf8')).toBe('one\n');

  await rig.ok(['stop'], { cwd });
  await rig.ok(['cp', join(aside, 'a.txt'), ':/while-stopped'], { cwd });
  await rig.ok(['cp', ':/while-stopped', join(aside, 'back')], { cwd });
  await rig.ok(['up'], { cwd });
  expect((await rig.ok(['exec', 'cat', '/while-stopped'], { cwd })).stdout).toBe('from the host\n');

  const tar = execFileSync('tar', ['-C', aside, '-cf', '-', 'tree', 'a.txt']);
  await rig.ok(['cp', '-', 'hand:/root'], { input: tar });
  expect((await rig.ok(['exec', 'cat', '/root/tree/deep/file', '/root/a.txt'], { cwd })).stdout).toBe('deep\nfrom the host\n');
  const lines = execFileSync('sh', ['-c', '"$0" cp :/new - | tar -tf -', join(import.meta.dirname, '../packages/cli/bin/devenv')], {
    cwd,
    env: { PATH: process.env['PATH'], DEVENV_BASE_DIR: rig.base },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  expect(lines.split('\n')).toEqual(expect.arrayContaining(['new/', 'new/deep/file', 'new/link']));
  const missing = await rig.devenv(['cp', ':/none', '.', '--json'], { cwd });
  expect(missing.json).toMatchObject({ code: 'FILE_NOT_FOUND' });
  expect((await rig.devenv(['cp', 'a', 'b', '--json'], { cwd })).json).toMatchObject({ code: 'USAGE' });
});

test('what is written over a pipe or a link leaves it what it is', async () => {
  const at = (name: string): string => join(aside, name);
  execFileSync('mkfifo', [at('pipe')]);
  symlinkSync('linked', at('to-linked'));
  const refused = await rig.devenv(['cp', ':/one', at('pipe'), '--json'], { cwd });
  expect(refused.json).toMatchObject({ code: 'BAD_VALUE', message: expect.stringContaining('a pipe') as string });
  await rig.ok(['cp', ':/one', at('to-linked')], { cwd });
  const reading = runProcess('tar', ['-tf', at('pipe')]);
  await rig.ok(['export', '-o', at('pipe')], { cwd });
  expect((await reading).stdout).toContain('etc/passwd');
  await rig.ok(['save', '-o', at('to-linked'), 'image'], { cwd });
  expect([lstatSync(at('pipe')).isFIFO(), lstatSync(at('to-linked')).isSymbolicLink()]).toEqual([true, true]);
  expect(execFileSync('tar', ['-tf', at('linked')], { encoding: 'utf8' })).toContain('manifest.json');
});

test('what the kernel tells in /proc and /sys is not copied, and what cannot be copied is said', async () => {
  const told = await rig.ok(['cp', ':/', join(aside, 'whole')], { cwd });
  expect(told.stderr).toMatch(/Left out, since only files are copied: .*proc.*sys/);
  expect([readdirSync(join(aside, 'whole/proc')), readFileSync(join(aside, 'whole/one'), 'utf8')]).toEqual([[], 'one\n']);
  const refused = await rig.devenv(['cp', join(aside, 'a.txt'), ':/proc/foo', '--json'], { cwd });
  expect(refused.json).toMatchObject({ code: 'NOT_WRITABLE', message: expect.stringContaining('to /proc/foo: no such file') as string });
});

test('a reader that goes away ends an archive without a word; a full disk is told once and by its name', async () => {
  const shell = (script: string): ReturnType<typeof runProcess> =>
    runProcess('bash', ['-c', script, launcher], { cwd, env: { ...rig.user.env, PATH: process.env['PATH'] ?? '' } });
  for (const words of ['export', 'save image', 'cp :/ -'])
    expect([
      words,
      (await shell(`"$0" ${words} --progress quiet | head -c 5; code=\${PIPESTATUS[0]}; echo; echo $code`)).stdout.split('\n')[1],
    ]).toEqual([words, '141']);
  const full = {
    exitCode: 1,
    stderr: expect.stringMatching(/^(?:\[image\].*\n)?Error: There is no space left for stdout\.\nHint: .*\n$/) as string,
  };
  for (const words of ['export', 'save image', 'images', 'images --json', 'ps --json'])
    expect([words, await shell(`"$0" ${words} --progress quiet >/dev/full`)]).toEqual([words, { ...full, stdout: '' }]);
});

test('links that a container makes lead nowhere outside of it, whichever way is copied', async () => {
  const outside = join(rig.base, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret\n');
  const script = `busybox ln -s ${outside} /folder; busybox ln -s ${outside}/secret /file; busybox ln -s /../../../../..${outside} /dots; busybox mkdir /d; busybox ln -s ${outside} /d/folder; echo > /ready; exec sleep 1000`;
  await rig.ok(['run', '-d', '--name', 'evil', 'image:latest', 'sh', '-c', script], { cwd: aside });
  const isReady = async (): Promise<number> => (await rig.devenv(['cp', 'evil:/ready', aside])).exitCode;
  await expect.poll(isReady, { timeout: 30_000 }).toBe(0);
  await rig.ok(['cp', 'evil:/d', join(aside, 'evil-d')]);
  // In: into the folders of that name inside, which do not exist.
  for (const place of ['/folder/x', '/dots/x', '/d/folder/x', '/d/folder']) await rig.devenv(['cp', join(aside, 'a.txt'), `evil:${place}`]);
  await rig.devenv(['cp', join(aside, 'tree'), 'evil:/folder']);
  expect(readdirSync(outside)).toEqual(['secret']);
  // Out: links come as links, and what they would name here is not read.
  await rig.ok(['cp', 'evil:/file', join(aside, 'got')]);
  expect(lstatSync(join(aside, 'got')).isSymbolicLink()).toBe(true);
  expect((await rig.devenv(['cp', 'evil:/folder/secret', join(aside, 'got-secret')])).exitCode).not.toBe(0);
  expect(existsSync(join(aside, 'got-secret'))).toBe(false);
  // Over a link that stands here it is replaced, not followed.
  symlinkSync(join(outside, 'secret'), join(aside, 'evil-d/here'));
  await rig.ok(['cp', '-', 'evil:/d'], { input: execFileSync('tar', ['-C', aside, '--transform', 's/a.txt/here/', '-cf', '-', 'a.txt']) });
  await rig.ok(['cp', 'evil:/d/.', join(aside, 'evil-d')]);
  expect([readFileSync(join(outside, 'secret'), 'utf8'), readFileSync(join(aside, 'evil-d/here'), 'utf8')]).toEqual([
    'secret\n',
    'from the host\n',
  ]);
  const { stdout } = await rig.devenv(['export', 'evil', '-o', join(aside, 'evil.tar')]);
  expect(stdout).toBe('');
  expect(execFileSync('tar', ['-tf', join(aside, 'evil.tar')], { encoding: 'utf8' })).not.toContain('secret');
});
