import { release } from 'node:os';
import { UserError } from '../../base/errors.ts';
import { readText } from '../../base/files.ts';
import { hostPlatform } from '../../oci/platform.ts';

/** linux.seccomp of the runtime-spec (config-linux.md#seccomp). */
export interface SeccompFilter {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly SeccompRule[];
}

interface SeccompRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[];
}

/** A profile in Docker's format: rules with conditions (moby, profiles/seccomp). */
interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly archMap?: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] | null }[];
  readonly syscalls: readonly (Omit<SeccompRule, 'args' | 'names'> & {
    readonly names?: readonly string[];
    readonly name?: string;
    readonly args?: SeccompRule['args'] | null;
    readonly includes?: Condition;
    readonly excludes?: Condition;
  })[];
}

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

/** Where Debian, Fedora and others put the profile of podman. */
export const hostProfilePath = '/usr/share/containers/seccomp.json';

/**
 * The filter for a container with these capabilities. `default` is the host's profile made as strict as Docker's; without
 * it, a list of calls that containers are refused. `unconfined`: none. @throws UserError BAD_VALUE for a bad profile.
 */
export function seccompFilter(wanted: string, capabilities: readonly string[]): SeccompFilter | undefined {
  if (wanted === 'unconfined') return undefined;
  const path = wanted === 'default' ? hostProfilePath : wanted;
  const text = readText(path);
  if (text === undefined) {
    if (wanted === 'default') return { defaultAction: 'SCMP_ACT_ALLOW', architectures: [], syscalls: strictRules(capabilities) };
    throw new UserError('BAD_VALUE', `the seccomp profile ${path} does not exist`);
  }
  let profile: Profile;
  try {
    profile = JSON.parse(text) as Profile;
    if (typeof profile.defaultAction !== 'string' || !Array.isArray(profile.syscalls))
      throw new Error('defaultAction or syscalls is missing');
  } catch (error) {
    throw new UserError('BAD_VALUE', `the seccomp profile ${path} is not in Docker's format: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const filter = resolveProfile(profile, capabilities);
  return wanted === 'default' ? tighten(filter, capabilities) : filter;
}

/** Decides the conditions of a profile for this machine and these capabilities. */
function resolveProfile(profile: Profile, capabilities: readonly string[]): SeccompFilter {
  const { architecture } = hostPlatform();
  const holds = (condition: Condition | undefined, all: boolean): boolean => {
    const answers = [
      ...(condition?.caps?.length
        ? [all ? condition.caps.every((name) => capabilities.includes(name)) : condition.caps.some((name) => capabilities.includes(name))]
        : []),
      ...(condition?.arches?.length ? [condition.arches.includes(architecture)] : []),
      ...(condition?.minKernel ? [isKernelAtLeast(condition.minKernel)] : []),
    ];
    return all ? answers.every(Boolean) : answers.some(Boolean);
  };
  const syscalls = profile.syscalls
    .filter((rule) => holds(rule.includes, true) && !holds(rule.excludes, false))
    .map((rule) => ({
      names: rule.names ?? [rule.name!],
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(rule.args?.length ? { args: rule.args } : {}),
    }));
  const native = nativeArchitectures[architecture];
  const family = profile.archMap?.find((entry) => entry.architecture === native);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: family ? [family.architecture, ...(family.subArchitectures ?? [])] : [],
    syscalls,
  };
}

const nativeArchitectures: Readonly<Record<string, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
  s390x: 'SCMP_ARCH_S390X',
};

/** Calls that Docker gives only with a capability, where podman gives them always (it runs without root). */
const guarded: readonly { readonly capability: string; readonly names: readonly string[] }[] = [
  {
    capability: 'CAP_SYS_ADMIN',
    names:
      'bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open pivot_root quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare'.split(
        ' ',
      ),
  },
  { capability: 'CAP_SYS_MODULE', names: ['delete_module', 'init_module', 'finit_module'] },
  { capability: 'CAP_SYS_BOOT', names: ['reboot', 'kexec_load', 'kexec_file_load'] },
  { capability: 'CAP_SYS_RAWIO', names: ['iopl', 'ioperm'] },
  { capability: 'CAP_SYS_TIME', names: ['settimeofday', 'clock_settime', 'clock_settime64', 'stime'] },
  { capability: 'CAP_SYS_PACCT', names: ['acct'] },
  { capability: 'CAP_SYSLOG', names: ['syslog'] },
  { capability: 'CAP_DAC_READ_SEARCH', names: ['open_by_handle_at'] },
  { capability: 'CAP_SYS_NICE', names: ['get_mempolicy', 'mbind', 'set_mempolicy', 'move_pages', 'migrate_pages'] },
  { capability: 'CAP_SYS_PTRACE', names: ['pidfd_getfd'] },
];

/** Calls that Docker gives and podman does not, the last one because it is younger than the profile that Debian 12 has. */
const given = ['io_pgetevents', 'io_pgetevents_time64', 'vmsplice', 'futex_waitv'];

/** Calls that reach what namespaces do not separate: the keyrings, fault handling, kernel memory. */
const refused = [
  'add_key',
  'keyctl',
  'request_key',
  'userfaultfd',
  'nfsservctl',
  'swapon',
  'swapoff',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
];

const [notPermitted, notImplemented] = [1, 38];
const namespaceFlags = [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000]; // CLONE_NEW… (clone(2))
/** Sockets to the hypervisor and its other machines: no network namespace separates them. Docker refuses them since version 23. */
const vsock = 40; // AF_VSOCK
const [netlink, audit] = [16, 9]; // AF_NETLINK, NETLINK_AUDIT

/** Makes of podman's profile one that allows no more than Docker's. What neither names stays "not implemented": libraries have another way then. */
function tighten(filter: SeccompFilter, capabilities: readonly string[]): SeccompFilter {
  const strict = strictRules(capabilities);
  const taken = new Set([...strict.flatMap(({ names }) => names), ...given, 'socket']);
  const kept = filter.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !taken.has(name)) }))
    .filter(({ names }) => names.length > 0);
  // Here everything that is not named is refused, so that these need rules that allow the rest.
  const noFlag = { index: 0, value: namespaceFlags.reduce((all, flag) => all + flag), valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' };
  const clone = taken.has('clone') ? [allow(['clone'], noFlag)] : [];
  return { ...filter, syscalls: [...kept, allow(given), ...strict, ...clone, ...allowedSockets(capabilities)] };
}

/** All but those to the hypervisor, and as podman the audit socket only with its capability. A rule may look at an argument once. */
function allowedSockets(capabilities: readonly string[]): SeccompRule[] {
  const [below, above] = ['SCMP_CMP_LT', 'SCMP_CMP_GT'].map((op) => ({ index: 0, value: vsock, op }));
  if (capabilities.includes('CAP_AUDIT_WRITE')) return [allow(['socket'], below!), allow(['socket'], above!)];
  const noAudit = { index: 2, value: audit, op: 'SCMP_CMP_NE' };
  return [
    allow(['socket'], below!, noAudit),
    allow(['socket'], above!, noAudit),
    allow(['socket'], { index: 0, value: netlink, op: 'SCMP_CMP_LT' }),
  ];
}

function strictRules(capabilities: readonly string[]): SeccompRule[] {
  const names = [...refused, ...guarded.filter(({ capability }) => !capabilities.includes(capability)).flatMap((group) => group.names)];
  const rules = [refuse(names, notPermitted), refuse(['socket'], notPermitted, { index: 0, value: vsock, op: 'SCMP_CMP_EQ' })];
  if (!capabilities.includes('CAP_SYS_ADMIN')) {
    // The flags of clone3 are behind a pointer that a filter cannot follow; libraries fall back to clone when it is "not implemented".
    rules.push(refuse(['clone3'], notImplemented));
    for (const flag of namespaceFlags)
      rules.push(refuse(['clone'], notPermitted, { index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }));
  }
  return rules;
}

function allow(names: readonly string[], ...args: NonNullable<SeccompRule['args']>): SeccompRule {
  return { names, action: 'SCMP_ACT_ALLOW', ...(args.length > 0 ? { args } : {}) };
}

function refuse(names: readonly string[], errnoRet: number, ...args: NonNullable<SeccompRule['args']>): SeccompRule {
  return { names, action: 'SCMP_ACT_ERRNO', errnoRet, ...(args.length > 0 ? { args } : {}) };
}

function isKernelAtLeast(wanted: string): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
