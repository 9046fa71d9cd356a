import { availableParallelism } from 'node:os';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { idMapping } from '../../base/user-namespace.ts';
import type { Limits } from '../engine.ts';
import { swapMappings, type IdSwap } from './id-swap.ts';
import { checkTree } from './check-tree.ts';
import type { OciProcess } from './oci-process.ts';
import type { SeccompFilter } from './seccomp.ts';
import { mountLabel } from './security-labels.ts';

/** A mount of the runtime-spec (config.md#mounts). */
export interface OciMount {
  readonly destination: string;
  readonly type: string;
  readonly source: string;
  readonly options: readonly string[];
}

export interface RuntimeConfigOptions {
  readonly process: OciProcess;
  readonly rootfs: string;
  readonly readonlyRoot: boolean;
  readonly hostname: string;
  /** Besides the usual ones; one with the same destination replaces a usual one. */
  readonly mounts: readonly OciMount[];
  /** Path of the network namespace to join; undefined: a new one with nothing but its loopback. */
  readonly network: string | undefined;
  /** Undefined: none of its own, and no limits. */
  readonly cgroup: string | undefined;
  readonly limits: Limits;
  readonly seccomp: SeccompFilter | undefined;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly privileged: boolean;
  /** Given: the container has a user namespace of its own, in which these change places with root. */
  readonly ids?: IdSwap | undefined;
}

/**
 * config.json of a bundle: namespaces, mounts and hidden paths as Docker has them (moby, oci/defaults.go).
 * @throws UserError BAD_VALUE for a tree that is not safe to run
 */
export function runtimeConfig(options: RuntimeConfigOptions): object {
  const { limits, privileged } = options;
  const own = new Set(options.mounts.map(({ destination }) => destination));
  checkTree(options.rootfs, { workdir: options.process.cwd, targets: [...own] });
  const label = mountLabel(options.process.selinuxLabel);
  return {
    ociVersion: '1.0.2',
    process: options.process,
    root: { path: options.rootfs, readonly: options.readonlyRoot },
    hostname: options.hostname,
    ...(options.annotations ? { annotations: options.annotations } : {}),
    mounts: [...usualMounts(options).filter(({ destination }) => !own.has(destination)), ...options.mounts],
    linux: {
      namespaces: [
        ...['pid', 'ipc', 'uts', 'mount', 'cgroup', ...(options.ids ? ['user'] : [])].map((type) => ({ type })),
        { type: 'network', ...(options.network ? { path: options.network } : {}) },
      ],
      ...(options.ids ? mappings(options.ids) : {}),
      ...(options.cgroup === undefined ? {} : { cgroupsPath: options.cgroup, resources: resources(limits, privileged) }),
      rootfsPropagation: 'private',
      // A server may listen on port 80 and `ping` works for every user; both belong to the container's own network namespace.
      sysctl: {
        'net.ipv4.ip_unprivileged_port_start': '0',
        'net.ipv4.ping_group_range': `0 ${Math.min(idMapping().count - 1, 2147483647)}`,
      },
      ...(options.seccomp ? { seccomp: options.seccomp } : {}),
      ...(label === undefined ? {} : { mountLabel: label }),
      ...(privileged ? { devices: hostDevices() } : { maskedPaths, readonlyPaths }),
    },
  };
}

function mappings({ uid, gid }: IdSwap): object {
  const { count } = idMapping();
  return { uidMappings: swapMappings(uid, count), gidMappings: swapMappings(gid, count) };
}

const maskedPaths = [
  '/proc/asound', '/proc/acpi', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/timer_list', '/proc/timer_stats',
  '/proc/sched_debug', '/proc/scsi', '/sys/firmware', '/sys/devices/virtual/powercap',
]; // prettier-ignore

const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Where the tree needs a directory; /dev, /proc and /sys bring the others themselves. */
export const usualMountPoints: readonly string[] = ['/proc', '/dev', '/sys'];

function usualMounts({ limits, privileged, cgroup }: RuntimeConfigOptions): OciMount[] {
  const groups = { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup' };
  const access = privileged ? 'rw' : 'ro';
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', ...(idMapping().kind === 'single' ? [] : ['gid=5'])],
    },
    {
      destination: '/dev/shm',
      type: 'tmpfs',
      source: 'shm',
      options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${limits.shm ?? 64 * 1024 * 1024}`],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    ...(cgroup === undefined ? [] : [{ ...groups, options: ['nosuid', 'noexec', 'nodev', 'relatime', access] }]),
  ];
}

/** Devices that every container may use are added by the runtime (config-linux.md#default-devices). */
function resources(limits: Limits, privileged: boolean): object {
  return { devices: [{ allow: privileged, access: 'rwm' }], ...limitResources(limits) };
}

/** config-linux.md#control-groups. What has no limit is left out, or freed of the one that `before` gave it. */
export function limitResources(limits: Limits, before: Limits = {}): object {
  const period = 100_000; // microseconds, the kernel's default
  // crun 1.8 can write "none" for memory only; as much as there can be is no limit either.
  const memory = limits.memory ?? -1;
  const cpus = limits.cpus ?? availableParallelism();
  const pids = limits.pids ?? 4_194_304; // PID_MAX_LIMIT of 64-bit kernels
  const concerns = (name: keyof Limits): boolean => limits[name] !== undefined || before[name] !== undefined;
  return {
    // Swap would let a container exceed its memory: memory and swap together are as much as memory, where the kernel counts both.
    ...(concerns('memory') ? { memory: { limit: memory, ...(countsSwap() ? { swap: memory } : {}) } } : {}),
    ...(concerns('cpus') ? { cpu: { quota: Math.max(1000, Math.round(cpus * period)), period } } : {}),
    ...(concerns('pids') ? { pids: { limit: pids } } : {}),
  };
}

/** In version 1 the root group has the file, in version 2 only groups below it. */
function countsSwap(): boolean {
  const groups = '/sys/fs/cgroup';
  if (existsSync(`${groups}/memory`) && !existsSync(`${groups}/cgroup.controllers`))
    return existsSync(`${groups}/memory/memory.memsw.limit_in_bytes`);
  return readdirSync(groups, { withFileTypes: true }).some(
    (entry) => entry.isDirectory() && existsSync(`${groups}/${entry.name}/memory.swap.max`),
  );
}

/** What `docker run --privileged` shows: the host's device nodes, but not its terminals and shared memory. */
function hostDevices(): object[] {
  const skipped = new Set([
    'pts',
    'shm',
    'mqueue',
    'fd',
    'console',
    'ptmx',
    'log',
    'stdin',
    'stdout',
    'stderr',
    'null',
    'zero',
    'full',
    'random',
    'urandom',
    'tty',
  ]);
  const list = (folder: string): object[] =>
    readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (folder === '/dev' && skipped.has(entry.name)) return [];
      if (entry.isDirectory()) return list(path);
      if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
      const { rdev, mode, uid, gid } = statSync(path);
      const [major, minor] = [(rdev >>> 8) & 0xfff, (rdev & 0xff) | ((rdev >>> 12) & 0xfff00)];
      return [{ path, type: entry.isBlockDevice() ? 'b' : 'c', major, minor, fileMode: mode & 0o777, uid, gid }];
    });
  return list('/dev');
}
