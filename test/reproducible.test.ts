import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeNormalUser, type NormalUser } from '../scripts/setup/normal-user.ts';
import { launcher, makeEmptyRig, makeRig, runProcess, type Result, type Rig } from './rig.ts';
import { largeSamples, smallSamples, type Sample } from './sample-environments.ts';
import { writeBusyboxLayout } from './tiny-image.ts';

/**
 * Each sample is locked and verified, so made twice: by root on the disk of this machine, and by a normal user on btrfs with another time zone, locale, umask,
 * host name, path, and one processor. Layers have to be equal, bit for bit.
 */
const full = process.env['DEVENV_TEST_FULL'] === '1';
const samples = { ...smallSamples, ...(full ? largeSamples : {}) };
const chosen = full ? Object.keys(samples) : ['users and owners', 'Unicode names', 'whiteouts'];

let rig: Rig;
let user: NormalUser;
let scratch: string;
let disk: string;
let source: string;

beforeAll(async () => {
  rig = await (full ? makeRig() : makeEmptyRig());
  user = makeNormalUser();
  scratch = mkdtempSync(join(tmpdir(), 'devenv-samples-'));
  disk = join(scratch, 'other disk');
  mkdirSync(disk);
  execFileSync('chmod', ['755', scratch]);
  execFileSync('truncate', ['--size', '12G', join(scratch, 'disk.img')]);
  execFileSync('mkfs.btrfs', ['--quiet', join(scratch, 'disk.img')]);
  execFileSync('mount', ['-o', 'loop', join(scratch, 'disk.img'), disk]);
  execFileSync('chown', [`${user.uid}:${user.gid}`, disk]);
  source = join(scratch, 'source');
  writeBusyboxLayout(source);
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await user.remove();
  execFileSync('umount', [disk]);
  rmSync(scratch, { recursive: true, force: true });
}, 600_000);

test('there are samples enough', () => {
  expect(Object.keys({ ...smallSamples, ...largeSamples }).length).toBeGreaterThanOrEqual(20);
});

test.for(chosen)('%s: the same layers, whoever makes them, where and under which circumstances', { timeout: 900_000 }, async (name) => {
  const sample = samples[name as keyof typeof samples]!;
  const folder = rig.project({}, name.replaceAll(/[^a-z]+/gi, '-'));
  const other = join(disk, 'ein anderer Ort', name);
  const here = start(sample, folder, (args) => rig.devenv(args, { cwd: folder, env: { TZ: 'UTC' } }));
  const there = start(shifted(sample), other, (args) => elsewhere(args, other));
  if (sample.clock) {
    const [ours, theirs] = [await diffIdsOf(here), await diffIdsOf(there)];
    expect(theirs).toEqual(ours);
  } else {
    await here('lock');
    execFileSync('install', ['-o', user.name, join(folder, 'devenv-lock.json'), other]);
    const verified = JSON.parse(await there('verify', '--json')) as { against: string; layers: { same: boolean }[] };
    expect([verified.against, verified.layers.length > 0]).toEqual(['lock', true]);
  }
});

/** The same, as if it were made on another day: libfaketime shows it to the programs of the steps after the first. */
function shifted(sample: Sample): Sample {
  if (!sample.clock) return sample;
  const [first, ...rest] = sample.steps;
  const env = { LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', FAKETIME: '+400d' };
  return { ...sample, steps: [first!, { env }, ...rest] };
}

type Run = (args: readonly string[]) => Promise<Pick<Result, 'exitCode' | 'stdout' | 'stderr'>>;

/** Of all layers, lowest first. */
async function diffIdsOf(ok: (...args: readonly string[]) => Promise<string>): Promise<readonly string[]> {
  await ok('build', '--tag', 'sample');
  const { found } = JSON.parse(await ok('inspect', 'sample', '--json')) as { found: { document: { rootfs: { diff_ids: string[] } } }[] };
  return found[0]!.document.rootfs.diff_ids;
}

/** Puts the sample into a folder. What it returns runs devenv there. */
function start({ image, steps, files }: Sample, cwd: string, run: Run): (...args: readonly string[]) => Promise<string> {
  for (const [path, content] of Object.entries({ ...files, 'devenv.json': JSON.stringify({ image, steps }) })) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
  execFileSync('cp', ['-r', source, cwd]);
  if (cwd.startsWith(disk)) {
    const change = 'chown -R "$1" "$2"; chmod -R go-rwx "$2"; find "$2" -exec touch -d 2001-02-03 {} +';
    execFileSync('sh', ['-c', change, 'sh', user.name, cwd]);
  }
  return async (...args) => {
    const { exitCode, stdout, stderr } = await run(args);
    if (exitCode !== 0) throw new Error(`devenv ${args.join(' ')} ended with ${exitCode}\n${stderr}\n${stdout}`);
    return stdout;
  };
}

async function elsewhere(args: readonly string[], cwd: string): ReturnType<Run> {
  const processors = cpus().length > 1 ? ['taskset', '--cpu-list', '0'] : [];
  const surroundings = ['unshare', '--uts', 'sh', '-c', 'hostname elsewhere; umask 077; exec "$@"', 'sh'];
  const [program = '', ...words] = [...surroundings, ...processors, ...user.wrap([launcher, ...args])];
  const env = {
    ...user.env,
    PATH: process.env['PATH']!,
    TZ: 'Asia/Kathmandu',
    LANG: 'tr_TR.UTF-8',
    LC_ALL: 'tr_TR.UTF-8',
    DEVENV_BASE_DIR: join(disk, 'base'),
  };
  return await runProcess(program, words, { cwd, env });
}
