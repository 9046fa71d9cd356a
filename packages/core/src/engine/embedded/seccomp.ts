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
      'bpf fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname sethostname setns umount umount2 unshare'.split(
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
  { capability: 'CAP_SYS_NICE', names: ['mbind', 'set_mempolicy', 'move_pages', 'migrate_pages'] },
];

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
const namespaceFlags = 0x7e020000; // CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET

/** Takes from the allowed calls those that Docker's profile does not have. */
function tighten(filter: SeccompFilter, capabilities: readonly string[]): SeccompFilter {
  const strict = strictRules(capabilities);
  const taken = new Set(strict.flatMap(({ names }) => names));
  const kept = filter.syscalls
    .map((rule) => ({ ...rule, names: rule.names.filter((name) => !taken.has(name)) }))
    .filter(({ names }) => names.length > 0);
  // Here everything that is not named is refused, so that clone needs the rule that allows it without new namespaces.
  const clone = taken.has('clone')
    ? [{ names: ['clone'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, value: namespaceFlags, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }] }]
    : [];
  return { ...filter, syscalls: [...kept, ...strict.filter(({ names }) => !names.includes('clone')), ...clone] };
}

function strictRules(capabilities: readonly string[]): SeccompRule[] {
  const names = [...refused, ...guarded.filter(({ capability }) => !capabilities.includes(capability)).flatMap((group) => group.names)];
  const rules: SeccompRule[] = [{ names, action: 'SCMP_ACT_ERRNO', errnoRet: notPermitted }];
  if (!capabilities.includes('CAP_SYS_ADMIN')) {
    // The flags of clone3 are behind a pointer that a filter cannot follow; libraries fall back to clone when it is "not implemented".
    rules.push({ names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: notImplemented });
    for (let bit = 25; bit <= 30; bit++) rules.push(refuseCloneFlag(2 ** bit));
    rules.push(refuseCloneFlag(0x20000));
  }
  return rules;
}

function refuseCloneFlag(flag: number): SeccompRule {
  return {
    names: ['clone'],
    action: 'SCMP_ACT_ERRNO',
    errnoRet: notPermitted,
    args: [{ index: 0, value: flag, valueTwo: flag, op: 'SCMP_CMP_MASKED_EQ' }],
  };
}

function isKernelAtLeast(wanted: string): boolean {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
