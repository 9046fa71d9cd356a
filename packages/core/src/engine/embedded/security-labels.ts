import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../../base/canonical-json.ts';
import { readText } from '../../base/files.ts';
import { run } from '../../base/processes.ts';
import { findProgram } from './programs.ts';
import { runtimeEnvironment } from './runtime-call.ts';

/** What a security module of the kernel knows a container's processes by (config.md#linux-process). */
export interface SecurityLabels {
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

/** What was found of the security modules that can hold a container in, beside namespaces, capabilities and seccomp. */
export interface SecurityModules {
  readonly apparmor: 'absent' | 'loaded' | 'loadable' | 'no parser' | 'not ours to load';
  readonly selinux:
    | { readonly state: 'absent' | 'no policy' }
    /** It is on, but a container with a label could not read what it stands on; `file`: the context that this has to have. */
    | { readonly state: 'store unlabelled'; readonly file: string }
    /** The context of containers' processes, by the policy. */
    | { readonly state: 'usable'; readonly process: string };
}

const apparmorProfile = 'devenv-default';

export interface HostFacts {
  /** Where the host's files are; another place in tests. */
  readonly root: string;
  /** Whether we are root of the machine: only that one may load a profile. */
  readonly isRoot: boolean;
  /** The label of the engine's data directory. */
  readonly dataLabel: string | undefined;
}

/** Reads a few files; changes nothing. */
export function securityModules({ root, isRoot, dataLabel }: HostFacts): SecurityModules {
  return { apparmor: readAppArmor(root, isRoot), selinux: readSelinux(root, dataLabel) };
}

function readAppArmor(root: string, isRoot: boolean): SecurityModules['apparmor'] {
  if (readText(join(root, 'sys/module/apparmor/parameters/enabled'))?.trim() !== 'Y') return 'absent';
  const profiles = isRoot ? readText(join(root, 'sys/kernel/security/apparmor/profiles')) : undefined;
  if (profiles?.split('\n').some((line) => line.startsWith(`${apparmorProfile} `))) return 'loaded';
  if (!isRoot) return 'not ours to load';
  return ['usr/sbin', 'sbin', 'usr/bin'].some((folder) => existsSync(join(root, folder, 'apparmor_parser'))) ? 'loadable' : 'no parser';
}

function readSelinux(root: string, dataLabel: string | undefined): SecurityModules['selinux'] {
  if (!existsSync(join(root, 'sys/fs/selinux/enforce'))) return { state: 'absent' };
  const { process, file } = readContexts(root);
  if (process === undefined || file === undefined) return { state: 'no policy' };
  return typeOf(dataLabel) === typeOf(file) ? { state: 'usable', process } : { state: 'store unlabelled', file };
}

/** The file that libselinux reads for it (selinux_lxc_contexts_path(3)), in the form of podman's and lxc's policy. */
function readContexts(root: string): { readonly process: string | undefined; readonly file: string | undefined } {
  const kind = /^SELINUXTYPE=\s*(\S+)/m.exec(readText(join(root, 'etc/selinux/config')) ?? '')?.[1] ?? 'targeted';
  const contexts = readText(join(root, 'etc/selinux', kind, 'contexts/lxc_contexts')) ?? '';
  const read = (name: string): string | undefined => new RegExp(`^\\s*${name}\\s*=\\s*"([^"]+)"`, 'm').exec(contexts)?.[1];
  return { process: read('process'), file: read('file') };
}

/**
 * The labels of a container's processes: none for one that is privileged, as Docker and podman. Categories of SELinux come
 * from the id: containers are kept from one another's processes, and one that starts again finds its own.
 */
export function securityLabels(modules: SecurityModules, id: string, privileged: boolean): SecurityLabels {
  if (privileged) return {};
  return {
    ...(modules.apparmor === 'loaded' || modules.apparmor === 'loadable' ? { apparmorProfile } : {}),
    ...(modules.selinux.state === 'usable' ? { selinuxLabel: withLevel(modules.selinux.process, levelOf(id)) } : {}),
  };
}

/** linux.mountLabel: that of the file systems that the runtime makes for a process of this label. */
export function mountLabel(processLabel: string | undefined, root = '/'): string | undefined {
  if (processLabel === undefined) return undefined;
  const { file } = readContexts(root);
  return file === undefined ? undefined : withLevel(file, processLabel.split(':').slice(3).join(':'));
}

/** Two of 1024 categories, never the same, the smaller one first. */
function levelOf(id: string): string {
  const hash = Number.parseInt(sha256(id).slice(0, 8), 16);
  const first = hash % 1024;
  const second = (first + 1 + (Math.floor(hash / 1024) % 1023)) % 1024;
  return `s0:c${Math.min(first, second)},c${Math.max(first, second)}`;
}

function withLevel(context: string, level: string): string {
  return [...context.split(':').slice(0, 3), level].join(':');
}

function typeOf(context: string | undefined): string | undefined {
  return context?.split(':')[2];
}

/** Idempotent: afterwards the kernel has the profile that labels name. Returns why it has not. */
export async function loadAppArmorProfile(): Promise<string | undefined> {
  const parser = findProgram('apparmor_parser') ?? '/usr/sbin/apparmor_parser';
  const { exitCode, stderr } = await run(parser, ['--replace', '--skip-cache'], { input: profileText, env: runtimeEnvironment });
  return exitCode === 0 ? undefined : stderr.trim();
}

/**
 * As Docker's (moby, profiles/apparmor/template.go): what the other walls hold back is held back once more, for the day one
 * of them has a hole. Whoever has CAP_SYS_ADMIN may not mount either.
 */
const profileText = `
profile ${apparmorProfile} flags=(attach_disconnected,mediate_deleted) {
  network,
  capability,
  file,
  umount,
  signal (receive) peer=unconfined,
  signal (receive) peer=crun,
  signal (receive) peer=runc,
  signal (send,receive) peer=${apparmorProfile},
  ptrace (trace,read,tracedby,readby) peer=${apparmorProfile},
  deny mount,
  deny /proc/* w,
  deny /proc/{acpi,bus,driver,fs,irq,scsi,tty}/** w,
  deny /proc/sys/[^kn]** w,
  deny /proc/sys/kernel/{?,??,[^s][^h][^m]**} w,
  deny /proc/sysrq-trigger rwklx,
  deny /proc/kcore rwklx,
  deny /sys/[^f]*/** wklx,
  deny /sys/f[^s]*/** wklx,
  deny /sys/fs/[^c]*/** wklx,
  deny /sys/fs/c[^g]*/** wklx,
  deny /sys/fs/cg[^r]*/** wklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
`;
