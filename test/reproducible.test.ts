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
 * Each sample is made twice: by root on the disk of this machine, and by a normal user on btrfs with another time zone, locale, umask,
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
});

test('there are samples enough', () => {
  expect(Object.keys({ ...smallSamples, ...largeSamples }).length).toBeGreaterThanOrEqual(20);
});

test.for(chosen)('%s: the same layers, whoever makes them, where and under which circumstances', { timeout: 900_000 }, async (name) => {
  const sample = samples[name as keyof typeof samples]!;
  const here = await diffIdsOf(sample, rig.project({}, name.replaceAll(/[^a-z]+/gi, '-')), (args, cwd) =>
    rig.devenv(args, { cwd, env: { TZ: 'UTC' } }),
  );
  const folder = join(disk, 'ein anderer Ort', name);
  mkdirSync(folder, { recursive: true });
  const there = await diffIdsOf(shifted(sample), folder, elsewhere);
  expect(there).toEqual(here);
  expect(here.length).toBeGreaterThan(1);
});

/** The same, as if it were made on another day: libfaketime shows it to the programs of the steps after the first. */
function shifted(sample: Sample): Sample {
  if (!sample.clock) return sample;
  const [first, ...rest] = sample.steps;
  const env = { LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', FAKETIME: '+400d' };
  return { ...sample, steps: [first!, { env }, ...rest] };
}

type Run = (args: readonly string[], cwd: string) => Promise<Pick<Result, 'exitCode' | 'stdout' | 'stderr'>>;

/** Of all layers, lowest first. */
async function diffIdsOf({ image, steps, files }: Sample, cwd: string, run: Run): Promise<readonly string[]> {
  for (const [path, content] of Object.entries({ ...files, 'devenv.json': JSON.stringify({ image, steps }) })) {
    mkdirSync(dirname(join(cwd, path)), { recursive: true });
    writeFileSync(join(cwd, path), content, { mode: content.startsWith('#!') ? 0o755 : 0o644 });
  }
  execFileSync('cp', ['-r', source, cwd]);
  if (cwd.startsWith(disk))
    execFileSync('sh', ['-c', 'chown -R "$1" "$2"; chmod -R go-rwx "$2"; find "$2" -exec touch -d 2001-02-03 {} +', 'sh', user.name, cwd]);
  const ok = async (...args: readonly string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await run(args, cwd);
    if (exitCode !== 0) throw new Error(`devenv ${args.join(' ')} ended with ${exitCode}\n${stderr}`);
    return stdout;
  };
  await ok('build', '--tag', 'sample');
  const { found } = JSON.parse(await ok('inspect', 'sample', '--json')) as { found: { document: { rootfs: { diff_ids: string[] } } }[] };
  return found[0]!.document.rootfs.diff_ids;
}

const elsewhere: Run = async (args, cwd) => {
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
};
