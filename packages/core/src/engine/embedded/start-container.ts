import { closeSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Directories } from '../../base/directories.ts';
import { diskFull, hasNoSpace } from '../../base/disk-trouble.ts';
import { UserError } from '../../base/errors.ts';
import type { Report } from '../../base/events.ts';
import { readText } from '../../base/files.ts';
import { start } from '../../base/processes.ts';
import { idMapping, isMapped } from '../../base/user-namespace.ts';
import type { LayerStore } from '../../store/layer-store.ts';
import type { ContainerSpec } from '../engine.ts';
import { compiledFilter } from './compiled-filter.ts';
import { keepParts, partBytes } from './container-log.ts';
import { containerFiles, writeJson, type ContainerFiles, type ContainerProcesses, type ContainerRecord } from './container-files.ts';
import { prepareMounts } from './container-mounts.ts';
import { giveToRoot, swapOwner } from './id-swap.ts';
import { hostLabels } from './host-labels.ts';
import { initPath } from './init.ts';
import { identify, isAlive, NoSuchProcess, type LivingProcess } from './living-process.ts';
import { claimPorts, connectNetwork, makeEmptyNetwork, openNetwork, writeNetworkFiles } from './network.ts';
import { callRuntime, enterEngineNamespace, makePrivateDirectory } from './oci-runtime.ts';
import { runtimeEnvironment } from './runtime-call.ts';
import { runtimeConfig } from './runtime-config.ts';
import { seccompFilter } from './seccomp.ts';
import type { Storage } from './storage/choose-storage.ts';
import type { StorageDriver } from './storage/storage-driver.ts';
import { swappedLayers } from './swapped-layers.ts';

export interface StartContext {
  readonly directories: Directories;
  readonly store: LayerStore;
  readonly storage: Storage;
  readonly report: Report;
}

/** The layers of a container, never none: overlayfs wants a lower directory. */
export async function lowerDirectories(context: StartContext, record: Pick<ContainerRecord, 'spec' | 'ids'>): Promise<readonly string[]> {
  const layers = await context.store.stack(record.spec.layer);
  if (layers.length > 0) return record.ids ? swappedLayers(layers, record.ids, context) : layers;
  const empty = join(context.directories.data, 'empty');
  mkdirSync(empty, { recursive: true, mode: 0o755 });
  return [empty];
}

/** A container keeps the driver that it was made with. */
export function storageOf(record: Pick<ContainerRecord, 'storage'>, context: Pick<StartContext, 'storage'>): StorageDriver {
  return context.storage.named(record.storage ?? 'overlay');
}

/** Shows the container's tree at its `rootfs`, in our mount namespace. */
export async function mountRoot(files: ContainerFiles, layers: readonly string[], driver: StorageDriver): Promise<void> {
  enterEngineNamespace();
  await driver.mount({ layers, upper: files.upper, work: files.work, target: files.rootfs });
}

/**
 * Starts a container whose root is mounted. Afterwards its init, conmon and pasta live on without us; pids.json names them.
 * @throws UserError RUNTIME_FAILED, PORT_TAKEN, TOOL_MISSING; what was started is the caller's to end.
 */
export async function launch(record: ContainerRecord, directory: string, layers: readonly string[], context: StartContext): Promise<void> {
  const files = containerFiles(directory);
  const { spec } = record;
  for (const path of [files.bundle, files.exit, files.etc, files.mounts]) makePrivateDirectory(path);
  for (const path of [join(files.exit, spec.id), join(files.exit, 'oom'), files.processes]) rmSync(path, { force: true });
  if (idMapping().kind === 'single') tellSingleId(context.report);
  if (record.cgroup === undefined) tellWithoutLimits(spec, context.report);
  await claimPorts(record.ports); // somebody may have taken one while the container was stopped
  // After a restart of the machine the profile has to be loaded again.
  if (record.process.apparmorProfile !== undefined) await hostLabels(context.directories.data, { id: spec.id, privileged: false });
  writeNetworkFiles(files.etc, spec.hostname);
  giveToRoot(files.etc, record.ids);
  const startedAt = new Date().toISOString();
  const processes = isMapped()
    ? await createThenConnect(record, files, layers, context)
    : await createConnected(record, files, layers, context);
  writeJson(files.processes, { ...processes, startedAt } satisfies ContainerProcesses);
  const { exitCode, stderr } = await callRuntime({ program: record.runtime, root: record.runtimeRoot }, 'start', spec.id);
  if (exitCode !== 0) throw new UserError('RUNTIME_FAILED', `the container could not be started: ${stderr.trim()}`);
  await waitForInit(processes.init, files);
}

/** The network namespace itself exists when openNetwork returns its promise; pasta gets ready while the container is created. */
async function createConnected(...[record, files, layers, context]: Parameters<typeof create>): ReturnType<typeof create> {
  const network =
    record.spec.network === 'none'
      ? Promise.resolve(makeEmptyNetwork(files.network))
      : openNetwork(files.network, record.ports, context.report);
  const [processes] = await settle([create(record, files, layers, context), network]);
  return processes;
}

/** The runtime makes the network namespace: it belongs to the container's user namespace then, and can be set up from inside. */
async function createThenConnect(...[record, files, layers, context]: Parameters<typeof create>): ReturnType<typeof create> {
  const processes = await create(record, files, layers, context);
  if (record.spec.network !== 'none') await connectNetwork(files.network, processes.init.pid, record.ports, context.report);
  return processes;
}

function tellSingleId(report: Report): void {
  report({
    type: 'notice', level: 'warning',
    message: 'single-id mode: you have no subordinate ids, so everybody inside is root, and chown, su and apt fail',
    hint: 'devenv doctor says how to get them',
  }); // prettier-ignore
}

function tellWithoutLimits({ limits }: ContainerSpec, report: Report): void {
  const asked = (['memory', 'cpus', 'pids'] as const).filter((name) => limits[name] !== undefined);
  if (asked.length === 0) return;
  report({
    type: 'notice', level: 'warning',
    message: `the limits (${asked.join(', ')}) are not kept: no control groups are delegated to you here`,
    hint: 'systemd-run --user --scope devenv up, or devenv doctor for more',
  }); // prettier-ignore
}

/** Until its init runs, the process is the runtime's own: what keeps init from being executed shows only now. */
async function waitForInit(init: LivingProcess, files: ContainerFiles): Promise<void> {
  const program = statSync(join(files.run, 'init'));
  for (;;) {
    const running = statSync(`/proc/${init.pid}/exe`, { throwIfNoEntry: false });
    if (running?.ino === program.ino && running.dev === program.dev) return;
    if (!isAlive(init)) break;
    await delay(1);
  }
  const said = (readText(files.log) ?? '').split('\n').find((line) => line.includes(initPath));
  if (said === undefined) return; // it ran, and so did its command, to its end
  throw new UserError('RUNTIME_FAILED', `the container ended before it began: ${said.replace(/^\S+ \S+ [FP] /, '')}`, {
    hint: 'the user of the environment must be able to enter the root directory of the image',
  });
}

async function create(
  record: ContainerRecord,
  files: ContainerFiles,
  layers: readonly string[],
  context: StartContext,
): Promise<Pick<ContainerProcesses, 'init' | 'conmon'>> {
  const { ids, process, spec } = record;
  const mounts = await prepareMounts({
    ...context,
    driver: storageOf(record, context),
    files,
    spec,
    layers,
    ids,
    owner: swapOwner(ids, process.user),
  });
  const { privileged, seccomp } = spec.security;
  const filter = privileged ? undefined : seccompFilter(seccomp, process.capabilities.bounding);
  const compiled = compiledFilter(filter, { program: record.runtime, root: record.runtimeRoot });
  writeJson(join(files.bundle, 'config.json'), bundleConfig(record, files, { mounts, seccomp: filter, annotations: compiled.annotations }));
  const processes = await createWithConmon(record, files);
  compiled.keep(spec.id);
  return processes;
}

function bundleConfig(
  record: ContainerRecord,
  files: ContainerFiles,
  found: Pick<Parameters<typeof runtimeConfig>[0], 'mounts' | 'seccomp' | 'annotations'>,
): object {
  const { spec, process } = record;
  const { privileged, readonlyRoot } = spec.security;
  return runtimeConfig({
    process,
    rootfs: files.rootfs,
    readonlyRoot,
    hostname: spec.hostname,
    ...found,
    network: isMapped() ? undefined : files.network,
    cgroup: record.cgroup,
    limits: spec.limits,
    privileged,
    ids: record.ids,
  });
}

/** Waits for all, then fails as the first that failed: nothing runs on behind the caller's back. */
async function settle<T extends readonly unknown[]>(promises: { readonly [K in keyof T]: Promise<T[K]> }): Promise<T> {
  const results = await Promise.allSettled(promises);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

/**
 * Creates the container by way of conmon, which keeps its log and exit code when we are gone. conmon tells how it went on a
 * pipe of its own (_OCI_SYNCPIPE): `{"pid":N}`, or a negative number and a message. Its other descriptors are files, since
 * the container inherits them.
 */
async function createWithConmon(record: ContainerRecord, files: ContainerFiles): Promise<Pick<ContainerProcesses, 'init' | 'conmon'>> {
  const { id, stdin } = record.spec;
  const pidFile = join(files.bundle, 'conmon.pid');
  const sockets = join(files.bundle, 'sockets');
  makePrivateDirectory(sockets);
  keepParts(files.log);
  const args = [
    '-c', id, '-u', id, '-n', id, '-r', record.runtime, '-b', files.bundle, '-p', join(files.bundle, 'init.pid'), '--conmon-pidfile', pidFile,
    '-l', `k8s-file:${files.log}`, '--log-size-max', String(partBytes), '--exit-dir', files.exit, '--persist-dir', files.exit, '--socket-dir-path', sockets,
    '--runtime-arg', '--root', '--runtime-arg', record.runtimeRoot, ...(stdin === undefined ? [] : [stdin === 'terminal' ? '-t' : '-i']),
  ]; // prettier-ignore
  const errors = openSync(join(files.bundle, 'conmon.log'), 'w+', 0o600);
  try {
    const conmon = start('conmon', args, {
      stdio: ['ignore', errors, errors, 'pipe'],
      env: { ...runtimeEnvironment, _OCI_SYNCPIPE: '3' },
      detached: true,
      cwd: files.bundle, // it writes a file `oom` where it stands
    });
    const answer = await new Promise<string>((resolve, reject) => {
      conmon.once('error', reject);
      const pipe = conmon.stdio[3] as Readable;
      let text = '';
      pipe.on('data', (chunk: Buffer) => {
        text += chunk.toString();
        if (text.includes('\n')) pipe.destroy();
      });
      pipe.once('close', () => resolve(text));
    });
    const said = answer ? (JSON.parse(answer) as { pid?: number; data?: number; message?: string }) : {};
    const pid = said.pid ?? said.data ?? -1;
    if (pid <= 0 && hasNoSpace(files.bundle)) throw diskFull(files.bundle);
    if (pid <= 0) throw runtimeRefused(said.message ?? readFileSync(join(files.bundle, 'conmon.log'), 'utf8'));
    return { init: identify(pid), conmon: identify(Number(readText(pidFile) ?? NaN)) };
  } catch (error) {
    if (error instanceof NoSuchProcess) throw runtimeRefused('it was killed');
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UserError('TOOL_MISSING', 'conmon is not installed: it keeps the log and the exit code of containers', {
      hint: 'apt-get install conmon',
      cause: error,
    });
  } finally {
    closeSync(errors);
  }
}

function runtimeRefused(text: string): UserError {
  return new UserError('RUNTIME_FAILED', `the OCI runtime refused the container: ${text.trim() || 'it gave no reason'}`, {
    hint: 'devenv doctor checks what it needs',
  });
}
