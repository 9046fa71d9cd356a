import { join } from 'node:path';
import { readText } from '../../base/files.ts';
import type { ContainerUse } from '../engine.ts';

const mountPoint = '/sys/fs/cgroup';

/** What the control group of a container says of it; a group that does not exist says nothing. */
export function readUse(cgroup: string | undefined, root: string = mountPoint): Omit<ContainerUse, 'network'> {
  if (cgroup === undefined) return {};
  const version2 = numberIn(join(root, cgroup, 'memory.current')) !== undefined || readText(join(root, cgroup, 'cpu.stat')) !== undefined;
  return version2 ? inVersion2(join(root, cgroup)) : inVersion1((controller) => join(root, controller, cgroup));
}

/** linux/Documentation/admin-guide/cgroup-v2.rst. `max` means no limit. */
function inVersion2(group: string): Omit<ContainerUse, 'network'> {
  const at = (name: string): string => join(group, name);
  const cpuTime = fieldOf(at('cpu.stat'), 'usage_usec');
  const [quota, period] = (readText(at('cpu.max')) ?? '').trim().split(' ').map(Number);
  return use({
    memory: [numberIn(at('memory.current')), fieldOf(at('memory.stat'), 'inactive_file'), numberIn(at('memory.max'))],
    cpu: [cpuTime === undefined ? undefined : cpuTime / 1e6, quota !== undefined && period ? quota / period : undefined],
    pids: [numberIn(at('pids.current')), numberIn(at('pids.max'))],
  });
}

/** linux/Documentation/admin-guide/cgroup-v1: a hierarchy for each controller; no limit is a very large one, or -1. */
function inVersion1(at: (controller: string) => string): Omit<ContainerUse, 'network'> {
  const cpuTime = numberIn(join(at('cpuacct'), 'cpuacct.usage')) ?? numberIn(join(at('cpu,cpuacct'), 'cpuacct.usage'));
  const [quota, period] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) => numberIn(join(at('cpu'), name)));
  const limit = numberIn(join(at('memory'), 'memory.limit_in_bytes'));
  return use({
    memory: [
      numberIn(join(at('memory'), 'memory.usage_in_bytes')),
      fieldOf(join(at('memory'), 'memory.stat'), 'total_inactive_file'),
      limit !== undefined && limit < 2 ** 62 ? limit : undefined,
    ],
    cpu: [cpuTime === undefined ? undefined : cpuTime / 1e9, quota !== undefined && quota > 0 && period ? quota / period : undefined],
    pids: [numberIn(join(at('pids'), 'pids.current')), numberIn(join(at('pids'), 'pids.max'))],
  });
}

type Numbers = readonly (number | undefined)[];

/** Pages of files that were read once can be had back at any time: as Docker counts, they are not in use. */
function use({
  memory,
  cpu,
  pids,
}: {
  readonly memory: Numbers;
  readonly cpu: Numbers;
  readonly pids: Numbers;
}): Omit<ContainerUse, 'network'> {
  const [usage, inactive = 0, memoryLimit] = memory;
  return {
    ...(usage === undefined ? {} : { memory: { bytes: Math.max(0, usage - inactive), ...withLimit(memoryLimit) } }),
    ...(cpu[0] === undefined ? {} : { cpu: { seconds: cpu[0], ...withLimit(cpu[1]) } }),
    ...(pids[0] === undefined ? {} : { pids: { count: pids[0], ...withLimit(pids[1]) } }),
  };
}

function withLimit(limit: number | undefined): { readonly limit?: number } {
  return limit === undefined || Number.isNaN(limit) ? {} : { limit };
}

/** Bytes through the interfaces of a process' network namespace, the loopback left out (proc_pid_net(5)). */
export function readNetworkUse(pid: number): ContainerUse['network'] {
  const table = readText(`/proc/${pid}/net/dev`);
  if (table === undefined) return undefined;
  const rows = [...table.matchAll(/^\s*([^\s:]+):\s*(.*)$/gm)]
    .filter(([, name]) => name !== 'lo')
    .map(([, , text]) => text!.split(/\s+/).map(Number));
  const sum = (column: number): number => rows.reduce((total, row) => total + (row[column] ?? 0), 0);
  return { received: sum(0), sent: sum(8) };
}

function numberIn(path: string): number | undefined {
  const text = readText(path)?.trim();
  return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
}

function fieldOf(path: string, name: string): number | undefined {
  const text = new RegExp(`^${name} (\\d+)$`, 'm').exec(readText(path) ?? '')?.[1];
  return text === undefined ? undefined : Number(text);
}
