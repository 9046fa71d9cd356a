import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { idMapping } from '../base/user-namespace.ts';
import { run } from '../base/processes.ts';
import type { Build } from '../engine/engine.ts';
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts';
import type { ResolvedBase } from '../plan/plan.ts';
import type { LayerId } from '../store/layer-store.ts';
import { indexScript, makePackageFolder, type PackageFolder } from './package-folder.ts';
import type { LockedInstall } from '../lock/lock.ts';
import type { BuildTools } from './build-tools.ts';

type WantedBase = Extract<ResolvedBase, { kind: 'debian' }> & { readonly locked: LockedInstall | undefined };

/** Seconds that mmdebstrap gives every file it makes itself; the layer format's epoch. */
const epoch = '1767225600';

/** Where Debian keeps every state its archive ever had. */
const snapshotArchive = 'https://snapshot.debian.org/archive';

/**
 * A minimal Debian from the distribution's own signed archive, made by mmdebstrap: needs no registry. A mirror is how the
 * bytes travel: the image always names the address that mmdebstrap writes when none is named.
 */
export async function debianBase(base: WantedBase, platform: Platform, session: Build, tools: BuildTools, task: string): Promise<LayerId> {
  if (idMapping().kind === 'single') throw needsIds();
  using folder = base.locked && (await makeIndexedFolder(base.locked, base.suite, tools));
  return await session.fill(async (directory) => {
    const settings = mmdebstrapArguments(base, platform, directory, folder?.path);
    const { exitCode, stderr } = await run('setpriv', [...endsWithUs, 'mmdebstrap', ...settings], {
      env: { PATH: process.env['PATH'], LANG: 'C.UTF-8', SOURCE_DATE_EPOCH: epoch, ...tools.transport.proxies },
      onOutput: (chunk) => tools.report({ type: 'output', id: task, text: chunk.toString() }),
      signal: tools.signal,
      killSignal: 'SIGKILL', // unshare holds the others back
    });
    if (exitCode === 127 && /failed to execute mmdebstrap/.test(stderr)) throw missing();
    if (exitCode !== 0) throw failure(base, exitCode, stderr);
    // Device nodes are made by the machine's root only, and a container brings its own: without them the layer is the same for all.
    for (const name of readdirSync(join(directory, 'dev'))) rmSync(join(directory, 'dev', name), { recursive: true });
  });
}

/**
 * mmdebstrap starts dozens of programs: in a pid namespace (pid_namespaces(7)) all of them end with the first, and that ends
 * with us, however we end. They would go on writing where the next command clears up.
 */
const endsWithUs = ['--pdeathsig', 'KILL', '--', 'unshare', '--pid', '--fork', '--kill-child', '--'];

/** None for this machine's own: mmdebstrap then also works where dpkg is missing. */
function architecture(platform: Platform): string[] {
  if (formatPlatform(platform) === formatPlatform(hostPlatform())) return [];
  const name = debianNames[[platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/')];
  return [`--architectures=${name ?? platform.architecture}`];
}

/** Debian's names of processors where they are not Go's (wiki.debian.org/SupportedArchitectures). */
const debianNames: Readonly<Record<string, string>> = {
  '386': 'i386',
  arm: 'armhf',
  'arm/v7': 'armhf',
  'arm/v6': 'armel',
  ppc64le: 'ppc64el',
};

/**
 * mmdebstrap chooses what a base has by the name of the archive and by priority, and an archive may give another than the package
 * itself does: what is locked is what is wanted.
 */
async function makeIndexedFolder(locked: LockedInstall, suite: string, tools: BuildTools): Promise<PackageFolder> {
  const folder = await makePackageFolder(locked, tools);
  const { exitCode, stderr } = await run('/bin/sh', ['-c', indexScript, 'index', suite, 'required'], {
    cwd: folder.path,
    signal: tools.signal,
  });
  if (exitCode === 0) return folder;
  folder[Symbol.dispose]();
  throw new UserError('BASE_FAILED', `The packages of debian ${suite} cannot be read: ${stderr.trim()}`);
}

function mmdebstrapArguments(base: WantedBase, platform: Platform, directory: string, folder: string | undefined): string[] {
  const include = base.packages.length > 0 ? [`--include=${base.packages.join(',')}`] : [];
  const settings = ['--variant=minbase', '--format=directory', ...architecture(platform), ...include];
  if (base.snapshot !== undefined) {
    const at = (archive: string): string => `${snapshotArchive}/${archive}/${base.snapshot}/`;
    return [
      ...settings,
      ...(folder === undefined ? [] : lockedHooks(folder)),
      '--aptopt=Acquire::Check-Valid-Until "false"',
      base.suite,
      directory,
      `deb ${at('debian')} ${base.suite} main`,
      `deb ${at('debian')} ${base.suite}-updates main`,
      `deb ${at('debian-security')} ${base.suite}-security main`,
    ];
  }
  const hooks = folder !== undefined ? lockedHooks(folder) : base.mirror === undefined ? [] : mirrorHooks(base.mirror);
  return [...settings, ...hooks, base.suite, directory];
}

/**
 * Fetches from a mirror what is not a security update: mirrors of those are another archive. The list that mmdebstrap wrote
 * itself comes back at the end, so that the layer is the same whichever way the bytes took.
 */
function mirrorHooks(mirror: string): string[] {
  const list = '"$1/etc/apt/sources.list"';
  const kept = '"$1/etc/apt/sources.list.devenv"';
  const script = `/-security /! s|^deb (\\[[^]]*\\] )?[^ ]+ |deb \\1${mirror.replaceAll(/[\\&|]/g, '\\$&')} |`;
  return [
    `--setup-hook=cp ${list} ${kept} && sed -E -i '${script.replaceAll("'", "'\\''")}' ${list}`,
    `--customize-hook=mv ${kept} ${list}`,
  ];
}

/** Installs from a folder of packages and nothing else; the list that mmdebstrap wrote comes back as with a mirror. */
function lockedHooks(folder: string): string[] {
  const list = '"$1/etc/apt/sources.list"';
  const kept = '"$1/etc/apt/sources.list.devenv"';
  const source = `deb [trusted=yes] copy://${encodeURI(folder)} ./`;
  return [
    `--setup-hook=cp ${list} ${kept} && printf '%s\\n' '${source.replaceAll("'", "'\\''")}' > ${list}`,
    `--customize-hook=mv ${kept} ${list}`,
  ];
}

function failure(base: { readonly suite: string }, exitCode: number, stderr: string): UserError {
  const lines = stderr.split('\n').filter((line) => /^(E:|W:)/.test(line));
  const reason = lines.slice(-3).join('\n') || stderr.trim().split('\n').slice(-3).join('\n');
  return new UserError('BASE_FAILED', `mmdebstrap could not make debian ${base.suite} (exit code ${exitCode}).\n${reason}`, {
    hint: `Check that the suite "${base.suite}" and the packages exist, and that the Debian archive can be reached.`,
  });
}

function needsIds(): UserError {
  return new UserError(
    'NOT_SUPPORTED',
    'A Debian base cannot be made in single-id mode: its files have many owners, and you have one id.',
    {
      hint: 'devenv doctor says how to get subordinate ids; an image of a registry can be used without',
    },
  );
}

function missing(): UserError {
  return new UserError('TOOL_MISSING', 'A debian base is made by mmdebstrap, which is not installed.', {
    hint: 'apt-get install mmdebstrap',
  });
}
