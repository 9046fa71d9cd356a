import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import type { ContainerSpec, Limits, PortMapping } from '../engine.ts';
import { defaultPath } from './command.ts';
import { containerFiles, readProcesses, readRecord, writeJson, type ContainerRecord } from './container-files.ts';
import { isAlive } from './living-process.ts';
import { claimPorts, reopenNetwork } from './network.ts';
import { callRuntime } from './oci-runtime.ts';
import { limitResources } from './runtime-config.ts';

/**
 * Changes what a container was made with where that needs no restart, in its record and, while it runs, in the kernel. The
 * caller holds its lock. @throws UserError PORT_TAKEN, RUNTIME_FAILED; what was not changed by then stays as it was
 */
export async function updateContainer(
  directory: string,
  changes: Pick<ContainerSpec, 'env' | 'ports' | 'limits' | 'labels'>,
): Promise<void> {
  let record = readRecord(directory);
  if (!record) throw new UserError('NOT_RUNNING', 'the container does not exist any more', { hint: 'devenv up' });
  const files = containerFiles(directory);
  const processes = readProcesses(directory);
  const init = processes && isAlive(processes.init) ? processes.init : undefined;
  // Each change is recorded as soon as it is made: a later one that fails must not leave the record behind the kernel.
  const keep = (next: ContainerRecord): void => writeJson(files.record, (record = next));

  if (!same(record.spec.limits, changes.limits)) {
    if (init && record.cgroup !== undefined) await updateLimits(record, files.bundle, changes.limits);
    keep({ ...record, spec: { ...record.spec, limits: changes.limits } });
  }
  if (!same(record.spec.ports, changes.ports)) {
    const ports = await claimNewPorts(init ? record.ports : [], changes.ports);
    if (init && record.spec.network === 'private') await reopenNetwork(files.network, init.pid, ports);
    keep({ ...record, ports, spec: { ...record.spec, ports: changes.ports } });
  }
  const home = record.process.env.find((entry) => entry.startsWith('HOME='))?.slice('HOME='.length) ?? '/';
  const env = Object.entries({ PATH: defaultPath, HOME: home, ...changes.env }).map(([name, value]) => `${name}=${value}`);
  keep({ ...record, spec: { ...record.spec, env: changes.env, labels: changes.labels }, process: { ...record.process, env } });
}

/** Those that we publish already are taken, by ourselves. */
async function claimNewPorts(ours: readonly PortMapping[], wanted: readonly PortMapping[]): Promise<PortMapping[]> {
  const name = ({ hostAddress, hostPort, protocol }: PortMapping): string => `${hostAddress} ${hostPort} ${protocol}`;
  const held = new Set(ours.map(name));
  const claimed = await Promise.all(wanted.map((port) => (held.has(name(port)) ? Promise.resolve([port]) : claimPorts([port]))));
  return claimed.flat();
}

async function updateLimits(record: ContainerRecord, folder: string, limits: Limits): Promise<void> {
  const resources = join(folder, 'resources.json');
  writeJson(resources, limitResources(limits, record.spec.limits));
  const runtime = { program: record.runtime, root: record.runtimeRoot };
  const { exitCode, stderr } = await callRuntime(runtime, 'update', '--resources', resources, record.spec.id);
  if (exitCode !== 0) {
    throw new UserError('RUNTIME_FAILED', `the limits could not be changed: ${stderr.trim()}`, {
      hint: 'devenv stop && devenv up applies them',
    });
  }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
