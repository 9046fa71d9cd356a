import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import { sha256 } from '../../base/canonical-json.ts';
import { isMissing, readJson, writeFileAtomically } from '../../base/files.ts';
import type { ContainerSpec, PortMapping } from '../engine.ts';
import type { IdSwap } from './id-swap.ts';
import { delegatedGroup } from './delegated-group.ts';
import type { LivingProcess } from './living-process.ts';
import type { OciProcess } from './oci-process.ts';
import type { StorageDriverName } from './storage/storage-driver.ts';

/** The layout of a container directory; another one is not read. */
export const containerFormat = 1;

/** container.json: what was wanted, and what creating it decided. */
export interface ContainerRecord {
  readonly format: typeof containerFormat;
  /** Without `certificates`: they are a file in the container's `run`, and this text is read by every exec. */
  readonly spec: ContainerSpec;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** Of an ephemeral container: the process that made it. */
  readonly owner?: LivingProcess;
  /** As published: a host port 0 is replaced by the one that was free. */
  readonly ports: readonly PortMapping[];
  /** Absolute path of the OCI runtime, and the directory of its state. */
  readonly runtime: string;
  readonly runtimeRoot: string;
  /** What its tree is made with; absent: overlay. */
  readonly storage?: StorageDriverName;
  /** Absent where we may make no control groups. */
  readonly cgroup?: string;
  /** Whose ids change places inside; absent: nobody's. */
  readonly ids?: IdSwap;
  /** The container's process as the runtime-spec has it: what `exec` starts from. */
  readonly process: OciProcess;
}

/** pids.json: who lives for the container when no command of ours runs; pasta has a pid file beside its namespace. */
export interface ContainerProcesses {
  readonly init: LivingProcess;
  readonly conmon: LivingProcess;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
}

/** journal.json: a change under way. When its owner is dead, the change is undone. */
export interface Journal {
  readonly doing: 'create' | 'start' | 'update' | 'remove';
  readonly owner: LivingProcess;
}

/** Where a container has its things. */
export interface ContainerFiles {
  readonly directory: string;
  readonly record: string;
  readonly processes: string;
  readonly journal: string;
  readonly upper: string;
  readonly work: string;
  readonly rootfs: string;
  readonly bundle: string;
  /** Shown at /run/devenv: the init, the certificates. */
  readonly run: string;
  /** Files that are mounted over those of the image: resolv.conf, hosts, hostname. */
  readonly etc: string;
  readonly mounts: string;
  readonly outputs: string;
  readonly log: string;
  readonly exit: string;
  readonly network: string;
}

/** Also safe as the name of a directory. */
export function isContainerId(id: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,127}$/.test(id);
}

export function containersDirectory(directories: Directories): string {
  return join(directories.data, 'containers');
}

export function containerFiles(directory: string): ContainerFiles {
  const at = (name: string): string => join(directory, name);
  return {
    directory,
    record: at('container.json'),
    processes: at('pids.json'),
    journal: at('journal.json'),
    upper: at('upper'),
    work: at('work'),
    rootfs: at('rootfs'),
    bundle: at('bundle'),
    run: at('run'),
    etc: at('etc'),
    mounts: at('mounts'),
    outputs: at('outputs'),
    log: at('log'),
    exit: at('exit'),
    network: at('netns'),
  };
}

/** Undefined when there is no whole container of this format. */
export function readRecord(directory: string): ContainerRecord | undefined {
  const record = readJson<ContainerRecord>(containerFiles(directory).record);
  return record?.format === containerFormat ? record : undefined;
}

export function readProcesses(directory: string): ContainerProcesses | undefined {
  return readJson<ContainerProcesses>(containerFiles(directory).processes);
}

export function writeJson(path: string, value: object): void {
  writeFileAtomically(path, JSON.stringify(value));
}

/** The directories of all containers, unfinished ones included. */
export function listContainers(directories: Directories): string[] {
  const parent = containersDirectory(directories);
  try {
    return readdirSync(parent).map((name) => join(parent, name));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/**
 * A control group of its own for each store and id, without a common parent: nothing is shared, so removing one disturbs no
 * other. Undefined where we may make none.
 */
export function cgroupPath(directories: Directories, id: string): string | undefined {
  const parent = delegatedGroup();
  return parent === undefined ? undefined : `${parent}/devenv-${sha256(directories.data).slice(0, 8)}-${id}`;
}
