import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, statfsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import { UserError } from '../../base/errors.ts';
import { idMapping, isMapped } from '../../base/user-namespace.ts';
import { isMissing } from '../../base/files.ts';
import { run } from '../../base/processes.ts';
import type { Features, Probe } from '../engine.ts';
import { runtimeProgram, tryRuntime } from './choose-runtime.ts';
import { mountOwned } from './idmap.ts';
import { emulatedArchitectures } from '../emulators.ts';
import { hostModules } from './host-labels.ts';
import { initProgram } from './init.ts';
import { enterEngineNamespace, isHybrid, makePrivateDirectory, runtimeRoot } from './oci-runtime.ts';
import { isFiltered, isInsideContainer, missingCapabilities, outerContainerFix } from './outer-container.ts';
import { detachAll } from './overlay.ts';
import { probeDelegation, probeRuntimeVersion, probeSecurityModules, probeSubordinateIds, probeUser, type Finding } from './probe-user.ts';
import { findProgram } from './programs.ts';
import { hostProfilePath } from './seccomp.ts';
import { appArmorFinding, selinuxFinding } from './label-findings.ts';
import { probeStorage } from './storage/choose-storage.ts';

export interface ProbeOptions {
  readonly directories: Directories;
  /** Absolute path of the only OCI runtime that may be used. */
  readonly runtime?: string | undefined;
  /** Name of the only storage driver that may be used. */
  readonly storage?: string | undefined;
}

/** Tries everything that the embedded engine stands on. Nothing of it remains. */
export async function probeHost({ directories, runtime, storage }: ProbeOptions): Promise<Features> {
  const isRoot = process.getuid?.() === 0;
  const probes: Probe[] = [];
  const add = async (name: string, required: boolean, find: () => Finding | Promise<Finding>): Promise<void> => {
    probes.push({ name, required, ...(await find()) });
  };
  const asRoot = (find: () => Finding | Promise<Finding>) => (): Finding | Promise<Finding> =>
    isRoot ? attempt(find) : { ok: false, answer: 'not tried: the user comes first' };

  await add('user', true, probeUser);
  if (!isRoot || idMapping().kind !== 'machine') await add('subordinate ids', false, probeSubordinateIds);
  await add('privileges', true, asRoot(probePrivileges));
  await add(
    'OCI runtime',
    true,
    asRoot(() => probeRuntimes(directories, runtime)),
  );
  await add('conmon', true, () => program('conmon', 'conmon'));
  await add('pasta', true, () => program('pasta', 'passt'));
  await add('/dev/net/tun', true, () => probeTun('/dev/net/tun'));
  await add('catatonit', true, () => found(initProgram(), 'catatonit'));
  await add('unshare', true, () => program('unshare', 'util-linux'));
  await add(
    'storage driver',
    true,
    asRoot(() => probeTrees(directories, storage)),
  );
  if (isRoot && !isMapped()) await add('idmapped mounts', false, () => attempt(() => probeIdmap(directories)));
  await add('control groups', false, probeCgroups);
  if (isMapped()) await add('delegated groups', false, probeDelegation);
  await add('security modules', false, () => probeSecurityModules());
  await add('runtime release', false, () => attempt(() => probeRelease(runtime)));
  await add('seccomp profile', false, probeSeccomp);
  await add('AppArmor', false, () => appArmorFinding(hostModules(directories.data)));
  await add('SELinux', false, () => selinuxFinding(hostModules(directories.data), directories.data));
  await add('foreign platforms', false, probeEmulators);
  await add('disk space', false, () => probeSpace(directories.data));
  await add('mmdebstrap', false, () => program('mmdebstrap', 'mmdebstrap'));
  return { works: probes.every(({ ok, required }) => ok || !required), probes };
}

async function attempt(find: () => Finding | Promise<Finding>): Promise<Finding> {
  try {
    return await find();
  } catch (error) {
    const fix = error instanceof UserError ? error.hint : undefined;
    return { ok: false, answer: (error as Error).message, ...(fix === undefined ? {} : { fix }) };
  }
}

/** Root inside a container may be allowed less than the engine needs. */
function probePrivileges(): Finding {
  const inside = isInsideContainer();
  const place = inside ? 'inside a container' : 'on this machine';
  const fix = inside ? outerContainerFix : 'run it as root of the machine itself';
  const missing = missingCapabilities();
  if (missing.length > 0) return { ok: false, answer: `${place}, without ${missing.join(', ')}`, fix };
  try {
    enterEngineNamespace();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const by = isFiltered() ? 'a seccomp profile refuses' : 'AppArmor or another security module refuses';
    return { ok: false, answer: `${place}, where ${by} unshare and mount`, fix };
  }
  if (isMapped()) return { ok: true, answer: 'all that the namespace can have' };
  return { ok: true, answer: inside ? 'inside a container that has them' : 'all' };
}

async function probeRuntimes(directories: Directories, wanted: string | undefined): Promise<Finding> {
  const answers: string[] = [];
  let ok = false;
  for (const name of wanted === undefined ? ['crun', 'runc'] : [wanted]) {
    const path = runtimeProgram(name);
    if (path === undefined) {
      answers.push(`${name} is not installed`);
      continue;
    }
    const failure = await tryRuntime({ program: path, root: runtimeRoot(directories) }, directories);
    answers.push(failure === undefined ? `${await version(path)} works` : `${name} ${failure}`);
    if (failure === undefined) {
      ok = true;
      break;
    }
  }
  const absent = answers.every((answer) => answer.endsWith('is not installed'));
  return { ok, answer: answers.join('; '), ...(ok || !absent ? {} : { fix: 'apt-get install crun' }) };
}

async function probeRelease(wanted: string | undefined): Promise<Finding> {
  const path = wanted ?? findProgram('crun') ?? findProgram('runc');
  return path === undefined ? { ok: true, answer: 'no runtime, no release' } : probeRuntimeVersion(await version(path));
}

async function version(path: string): Promise<string> {
  const { stdout } = await run(path, ['--version']);
  return stdout.split('\n')[0]!;
}

async function probeTrees(directories: Directories, wanted: string | undefined): Promise<Finding> {
  const { chosen, findings } = await probeStorage({ directories, wanted });
  const works = chosen === undefined ? [] : [`${chosen} works in ${directories.data}`];
  const fix = findings.find((finding) => finding.fix !== undefined)?.fix;
  return {
    ok: chosen !== undefined,
    answer: [...works, ...findings.filter(({ ok }) => !ok).map(({ name, answer }) => `${name}: ${answer}`)].join('; '),
    ...(fix === undefined ? {} : { fix }),
  };
}

/** Where the user stands: that is mostly the workspace. */
async function probeIdmap(directories: Directories): Promise<Finding> {
  const source = process.cwd();
  let ok = false;
  await withScratch(directories.data, async (folder) => {
    const target = join(folder, 'target');
    mkdirSync(target);
    const here = { uid: 1, gid: 1 };
    ok = await mountOwned({ source, target, readonly: false, swap: [here, { uid: 2, gid: 2 }] });
  });
  return ok
    ? { ok, answer: `work in ${source}` }
    : {
        ok,
        answer: `the file system of ${source} cannot`,
        fix: 'keep the workspace on ext4, xfs, btrfs or tmpfs, or its files show their owner of outside',
      };
}

async function withScratch(parent: string, use: (folder: string) => void | Promise<void>): Promise<void> {
  const folder = join(parent, `probe-${process.pid}-${randomBytes(4).toString('hex')}`);
  makePrivateDirectory(folder);
  enterEngineNamespace();
  try {
    await use(folder);
  } finally {
    detachAll(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

function probeCgroups(): Finding {
  if (isHybrid()) return { ok: true, answer: 'versions 1 and 2 together; version 2 is hidden from crun, which refuses such hosts' };
  const cgroup2 = 0x63677270; // CGROUP2_SUPER_MAGIC
  if (!existsSync('/sys/fs/cgroup')) return { ok: false, answer: 'not mounted', fix: 'mount -t cgroup2 cgroup2 /sys/fs/cgroup' };
  return { ok: true, answer: statfsSync('/sys/fs/cgroup').type === cgroup2 ? 'version 2' : 'version 1' };
}

function probeSeccomp(): Finding {
  if (existsSync(hostProfilePath)) return { ok: true, answer: `${hostProfilePath}, made as strict as Docker's` };
  return {
    ok: false,
    answer: `${hostProfilePath} is missing: only calls known as dangerous are refused`,
    fix: 'apt-get install golang-github-containers-common',
  };
}

/** Never registered by devenv: that changes the whole machine. */
function probeEmulators(): Finding {
  const emulated = emulatedArchitectures();
  return emulated.length > 0
    ? { ok: true, answer: emulated.map((architecture) => `linux/${architecture}`).join(', ') }
    : { ok: false, answer: 'none: no emulator is registered in binfmt_misc', fix: 'apt-get install qemu-user-static binfmt-support' };
}

function probeSpace(path: string): Finding {
  const { bavail, bsize } = statfsSync(existing(path));
  const gigabytes = (bavail * bsize) / 1e9;
  const ok = gigabytes >= 2; // a base and its tools take about one
  return {
    ok,
    answer: `${gigabytes.toFixed(1)} GB free for ${path}`,
    ...(ok ? {} : { fix: 'free some space, or set DEVENV_BASE_DIR to a larger disk' }),
  };
}

function program(name: string, debianPackage: string): Finding {
  return found(findProgram(name), debianPackage);
}

function found(path: string | undefined, debianPackage: string): Finding {
  return path === undefined ? { ok: false, answer: 'not installed', fix: `apt-get install ${debianPackage}` } : { ok: true, answer: path };
}

/** The nearest folder that is there. */
function existing(path: string): string {
  return existsSync(path) ? path : existing(dirname(path));
}

/** A device that is there may still be refused: by its mode, or by the device list of the container around us. */
function probeTun(path: string): Finding {
  const fix = isInsideContainer() ? '--device /dev/net/tun' : isMapped() ? 'sudo chmod 0666 /dev/net/tun, as udev sets it' : 'modprobe tun';
  try {
    closeSync(openSync(path, 'r+'));
    return { ok: true, answer: 'can be opened' };
  } catch (error) {
    if (isMissing(error)) return { ok: false, answer: 'is missing', fix };
    return { ok: false, answer: `cannot be opened (${(error as NodeJS.ErrnoException).code})`, fix };
  }
}
