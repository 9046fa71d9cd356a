import { existsSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Directories } from '../../base/directories.ts';
import { isDiskFull } from '../../base/disk-trouble.ts';
import { UserError } from '../../base/errors.ts';
import { readJson, readText } from '../../base/files.ts';
import { lock } from '../../base/locks.ts';
import { treeSize } from '../../base/tree-size.ts';
import type { LayerId } from '../../store/layer-store.ts';
import type {
  Container,
  ContainerState,
  ContainerUse,
  CopyOptions,
  ExecOptions,
  LogLine,
  LogOptions,
  PortMapping,
  Process,
} from '../engine.ts';
import { removeCgroup } from './cgroup.ts';
import { cgroupPath, containerFiles, readProcesses, readRecord, writeJson, type ContainerFiles, type Journal } from './container-files.ts';
import { archiveOf, copyIn, copyOut } from './container-copies.ts';
import { commitContainer, showChanges } from './commit-container.ts';
import { containerLog } from './container-log.ts';
import { execInRunningContainer } from './exec.ts';
import { identify, isAlive, signalProcess, type LivingProcess } from './living-process.ts';
import { closeNetwork, hasLostNetwork, reopenNetwork } from './network.ts';
import { deleteFromRuntime, enterEngineNamespace, runtimeRoot } from './oci-runtime.ts';
import { detachAll, isMounted } from './overlay.ts';
import type { Writable } from './storage/storage-driver.ts';
import { readNetworkUse, readUse } from './resource-use.ts';
import { stopSignalNumber } from './stop-signal.ts';
import { endStrays } from './strays.ts';
import { updateContainer } from './update-container.ts';
import { launch, lowerDirectories, mountRoot, storageOf, type StartContext } from './start-container.ts';

/** A container of the embedded engine is its directory: whoever opens it sees the same. */
export class EmbeddedContainer implements Container {
  readonly id: string;
  readonly directory: string;
  private readonly context: StartContext;

  constructor(directory: string, context: StartContext) {
    this.id = basename(directory);
    this.directory = directory;
    this.context = context;
  }

  get labels(): Readonly<Record<string, string>> {
    return readRecord(this.directory)?.spec.labels ?? {};
  }

  get layer(): LayerId | undefined {
    return readRecord(this.directory)?.spec.layer;
  }

  get ports(): readonly PortMapping[] {
    return readRecord(this.directory)?.ports ?? [];
  }

  async inspect(): Promise<{
    readonly state: ContainerState;
    readonly exitCode?: number;
    readonly oomKilled?: boolean;
    readonly startedAt?: Date;
    readonly networkLost?: boolean;
  }> {
    if (!readRecord(this.directory)) return { state: 'gone' };
    const processes = readProcesses(this.directory);
    if (!processes) return { state: 'created' };
    const startedAt = new Date(processes.startedAt);
    const { network } = containerFiles(this.directory);
    if (isAlive(processes.init)) return { state: 'running', startedAt, ...(hasLostNetwork(network) ? { networkLost: true } : {}) };
    await isGone(processes.conmon, 2); // it writes the exit code a moment after init has ended
    const { exit } = containerFiles(this.directory);
    const exitCode = readText(join(exit, this.id));
    return { state: 'exited', startedAt, oomKilled: existsSync(join(exit, 'oom')), ...(exitCode ? { exitCode: Number(exitCode) } : {}) };
  }

  async start(): Promise<void> {
    if (this.runsWhole()) return; // an `up` with nothing to do asks too: it pays for no lock
    using _held = await this.hold();
    const record = readRecord(this.directory);
    if (!record) throw new UserError('NOT_RUNNING', `the container ${this.id} does not exist any more`, { hint: 'devenv up' });
    const files = containerFiles(this.directory);
    const before = readProcesses(this.directory);
    if (isAlive(before?.init)) return mendNetwork(this.directory);
    if (before) await this.tidy();
    writeJson(files.journal, { doing: 'start', owner: identify(process.pid) } satisfies Journal);
    try {
      const layers = await lowerDirectories(this.context, record);
      enterEngineNamespace();
      if (!isMounted(files.rootfs)) await mountRoot(files, layers, storageOf(record, this.context));
      await launch(record, this.directory, layers, this.context);
    } catch (error) {
      await this.tidy();
      rmSync(files.processes, { force: true });
      throw error;
    } finally {
      rmSync(files.journal, { force: true });
    }
  }

  async stop(options: { readonly graceSeconds?: number } = {}): Promise<void> {
    if (!readRecord(this.directory)) return;
    using _held = await this.hold();
    await endProcesses(this.directory, options.graceSeconds ?? usualGrace);
    await this.tidy();
  }

  async remove(): Promise<void> {
    if (!existsSync(this.directory)) return;
    using _held = await this.hold();
    await removeContainer(this.directory, this.context, (grace) => endProcesses(this.directory, grace));
  }

  async exec(command: readonly string[], options: ExecOptions): Promise<Process> {
    return execInRunningContainer(this.directory, command, options);
  }

  async update(changes: Parameters<Container['update']>[0]): Promise<void> {
    using _held = await this.hold();
    await mendNetwork(this.directory);
    const { journal } = containerFiles(this.directory);
    writeJson(journal, { doing: 'update', owner: identify(process.pid) } satisfies Journal);
    try {
      await updateContainer(this.directory, changes);
    } finally {
      rmSync(journal, { force: true });
    }
  }

  async commit(): Promise<LayerId> {
    using _held = await this.hold();
    return commitContainer(this.directory, this.context);
  }

  async changes<T>(look: (directory: string) => T): Promise<T> {
    using _held = await this.hold();
    return showChanges(this.directory, this.context, look);
  }

  async *archive(path: string): AsyncGenerator<Buffer> {
    using _held = await this.hold();
    yield* archiveOf(this.directory, path, this.context);
  }

  async copyOut(path: string, target: string, options: CopyOptions): Promise<void> {
    using _held = await this.hold();
    await copyOut(this.directory, path, target, { ...options, context: this.context });
  }

  async copyIn(source: string, path: string, options: CopyOptions): Promise<void> {
    using _held = await this.hold();
    await copyIn(this.directory, source, path, { ...options, context: this.context });
  }

  async use(): Promise<ContainerUse> {
    const init = readProcesses(this.directory)?.init;
    if (!init || !isAlive(init)) return {};
    const network = readNetworkUse(init.pid);
    return { ...readUse(readRecord(this.directory)?.cgroup), ...(network ? { network } : {}) };
  }

  async size(): Promise<number> {
    const record = readRecord(this.directory);
    if (!record) return treeSize(this.directory);
    const files = containerFiles(this.directory);
    const layers = await this.context.store.stack(record.spec.layer);
    return treeSize(this.directory) + storageOf(record, this.context).hiddenBytes({ layers, upper: files.upper, work: files.work });
  }

  logs(options: LogOptions): AsyncIterable<LogLine> {
    return containerLog(this.directory, options);
  }

  private runsWhole(): boolean {
    const { journal, network } = containerFiles(this.directory);
    return isAlive(readProcesses(this.directory)?.init) && !existsSync(journal) && !hasLostNetwork(network);
  }

  private tidy(): Promise<void> {
    return tidyContainer(this.directory, this.context);
  }

  /** One command at a time changes a container. The lock is not in its directory, which goes away. */
  private hold(): Promise<Disposable> {
    return lock(containerLock(this.context.directories, this.id));
  }
}

const usualGrace = 10; // seconds, as `docker stop`

/** Path of the lock that a command holds while it changes the container. */
export function containerLock(directories: Directories, id: string): string {
  return join(directories.runtime, 'containers', id);
}

/** Init first gets the chance to end what it runs. conmon is waited for: it writes the exit code. */
export async function endProcesses(directory: string, graceSeconds: number): Promise<void> {
  const processes = readProcesses(directory);
  if (!processes) return;
  const spec = readRecord(directory)?.spec;
  // An init without a command ends at SIGTERM alone; else it passes on what it gets.
  signalProcess(processes.init, spec && spec.command.length > 0 ? stopSignalNumber(spec.stopSignal) : 'SIGTERM');
  if (!(await isGone(processes.init, graceSeconds))) signalProcess(processes.init, 'SIGKILL');
  if (!(await isGone(processes.init, 10))) throw new Error(`process ${processes.init.pid} of ${directory} does not end`);
  if (!(await isGone(processes.conmon, 2))) signalProcess(processes.conmon, 'SIGKILL');
}

/**
 * A running container whose pasta was killed, or whose ports somebody was changing who was killed, gets the network that its
 * record tells of. The caller holds its lock.
 */
export async function mendNetwork(directory: string): Promise<void> {
  const { journal, network } = containerFiles(directory);
  const [record, init] = [readRecord(directory), readProcesses(directory)?.init];
  const isHalfUpdated = readJson<Journal>(journal)?.doing === 'update';
  if (record && init && isAlive(init) && record.spec.network === 'private' && (isHalfUpdated || hasLostNetwork(network)))
    await reopenNetwork(network, init.pid, record.ports);
  if (isHalfUpdated) rmSync(journal, { force: true });
}

/** Afterwards nothing of the container is left, whatever state it was in; `end` stops what runs. The caller holds its lock. */
export async function removeContainer(
  directory: string,
  context: StartContext,
  end: (graceSeconds: number) => Promise<void>,
): Promise<void> {
  try {
    writeJson(containerFiles(directory).journal, { doing: 'remove', owner: identify(process.pid) } satisfies Journal);
  } catch (error) {
    if (!isDiskFull(error)) throw error; // removing gives space back
  }
  await end(usualGrace);
  const isEphemeral = readRecord(directory)?.owner !== undefined;
  await tidyContainer(directory, context);
  rmSync(directory, { recursive: true, force: true });
  // Its id never comes again, so nobody can be kept out by a lock on a file that is gone; one for each `run` would stay.
  if (isEphemeral) rmSync(containerLock(context.directories, basename(directory)), { force: true });
}

/** Ends all that a container has outside its directory. */
export async function tidyContainer(directory: string, context: StartContext): Promise<void> {
  const files = containerFiles(directory);
  const id = basename(directory);
  enterEngineNamespace();
  if (existsSync(files.bundle) && !readProcesses(directory)) await endStrays(directory);
  const root = runtimeRoot(context.directories);
  const record = readRecord(directory);
  if (record && existsSync(join(root, id))) await deleteFromRuntime({ program: record.runtime, root }, id);
  await closeNetwork(files.network);
  detachAll(directory);
  for (const writable of writables(files)) await context.storage.release(writable);
  await removeCgroup(record?.cgroup ?? cgroupPath(context.directories, id));
}

/** The trees that a container writes to: its own, and one for each output. */
export function writables(files: ContainerFiles): Writable[] {
  const outputs = existsSync(files.outputs) ? readdirSync(files.outputs).map((name) => join(files.outputs, name)) : [];
  return [files, ...outputs.map((folder) => ({ upper: join(folder, 'upper'), work: join(folder, 'work') }))];
}

async function isGone(process: LivingProcess, seconds: number): Promise<boolean> {
  const end = performance.now() + seconds * 1000;
  for (let interval = 1; isAlive(process); interval = Math.min(interval * 1.5, 50)) {
    if (performance.now() > end) return false;
    await delay(interval);
  }
  return true;
}
