import { existsSync, readlinkSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Report } from '../../base/events.ts';
import { listNames, readJson } from '../../base/files.ts';
import { lockFolderNow, tryLockNow } from '../../base/locks.ts';
import { emptyTrash } from '../../store/discard-layers.ts';
import { buildsDirectory, endBuild } from './build.ts';
import { removeCgroup } from './cgroup.ts';
import { cgroupPath, containerFiles, listContainers, readProcesses, readRecord, type Journal } from './container-files.ts';
import { containerLock, endProcesses, mendNetwork, removeContainer, tidyContainer, writables } from './container.ts';
import { isAlive } from './living-process.ts';
import { hasNetwork } from './network.ts';
import { deleteFromRuntime, runtimeRoot } from './oci-runtime.ts';
import type { OciRuntime } from './runtime-call.ts';
import { endStrays } from './strays.ts';
import { reapSwappedLayers } from './swapped-layers.ts';
import { reapVolumeDrafts } from './volumes.ts';
import { storageOf, type StartContext } from './start-container.ts';

export interface ReapContext extends StartContext {
  readonly runtime: () => Promise<OciRuntime>;
  readonly report: Report;
}

/**
 * Undoes what commands that were killed had under way, and ends what lives on for containers that have ended. What another
 * command works on at the moment is left to it. Costs a few small reads when there is nothing to do.
 */
export async function reap(context: ReapContext): Promise<void> {
  for (const directory of listContainers(context.directories)) await reapContainer(directory, context);
  for (const name of listNames(buildsDirectory(context))) await reapBuild(join(buildsDirectory(context), name), context);
  await reapRuntimeState(context);
  await reapScratch(context);
  reapVolumeDrafts(context.directories);
  reapSwappedLayers(context.directories);
  emptyTrash(context.directories.data);
  // After what may still be writing to them has ended.
  await context.store.reap();
  await context.storage.reap();
}

async function reapContainer(directory: string, context: ReapContext): Promise<void> {
  const files = containerFiles(directory);
  const id = basename(directory);
  const isWhole = (): boolean => readRecord(directory) !== undefined && !existsSync(files.journal) && !isAbandoned(directory);
  const isQuiet = (): boolean =>
    isAlive(readProcesses(directory)?.init) || !(hasNetwork(files.network) || existsSync(join(runtimeRoot(context.directories), id)));
  if (isWhole() && isQuiet() && !hasLostItsTree(directory, context)) return;
  using held = tryLockNow(containerLock(context.directories, id));
  if (!held || !existsSync(directory)) return;
  // One that cannot be read was being written when the machine went down.
  const journal: Partial<Journal> | undefined = existsSync(files.journal) ? (readJson<Journal>(files.journal) ?? {}) : undefined;
  if (isAlive(journal?.owner)) return;
  if (!readRecord(directory) || isAbandoned(directory) || journal?.doing === 'create' || journal?.doing === 'remove') {
    await removeContainer(directory, context, (grace) => endProcesses(directory, grace));
    notice(context, `removed the container ${id}, which a command that was killed had left behind`);
  } else if (hasLostItsTree(directory, context)) {
    await endProcesses(directory, 0);
    await tidyContainer(directory, context);
    notice(context, `ended the container ${id}: the program that served its file system is gone`);
  } else if (journal?.doing === 'update' && isAlive(readProcesses(directory)?.init)) {
    await mendNetwork(directory); // who works in it is not disturbed
  } else if (!isQuiet() || journal) {
    await endProcesses(directory, 0);
    await tidyContainer(directory, context);
    if (journal) {
      rmSync(files.processes, { force: true });
      rmSync(files.journal, { force: true });
      notice(context, `ended the container ${id}, which a command that was killed had half started`);
    }
  }
}

/** It runs, and a program that showed its files was killed. */
function hasLostItsTree(directory: string, context: ReapContext): boolean {
  const record = readRecord(directory);
  if (!record || !isAlive(readProcesses(directory)?.init)) return false;
  const driver = storageOf(record, context);
  return writables(containerFiles(directory)).some((writable) => !driver.isServed(writable));
}

/** An ephemeral container whose command is gone. */
function isAbandoned(directory: string): boolean {
  const owner = readRecord(directory)?.owner;
  return owner !== undefined && !isAlive(owner);
}

async function reapBuild(directory: string, context: ReapContext): Promise<void> {
  using held = lockFolderNow(directory);
  if (!held) return;
  const runtime = await context.runtime();
  await endStrays(directory);
  for (const id of listNames(directory).filter((name) => name.startsWith('step-'))) {
    await deleteFromRuntime(runtime, id);
    await removeCgroup(cgroupPath(context.directories, id));
  }
  await endBuild(directory);
  notice(context, 'ended a build step whose command was killed');
}

/** Containers that the runtime knows and nobody else: their directories were removed by hand, or they were to find out whether it works. */
async function reapRuntimeState(context: ReapContext): Promise<void> {
  const root = runtimeRoot(context.directories);
  const isOwned = (id: string): boolean => {
    if (id.startsWith('step-')) return existsSync(join(buildsDirectory(context), id.split('-')[1] ?? ''));
    return isScratchOfTheLiving(id) || existsSync(join(context.directories.data, 'containers', id));
  };
  for (const id of listNames(root)) {
    if (isOwned(id)) continue;
    using held = tryLockNow(containerLock(context.directories, id));
    if (!held || isOwned(id)) continue; // it is being made anew
    await deleteFromRuntime(await context.runtime(), id);
    await removeCgroup(cgroupPath(context.directories, id));
    rmSync(containerLock(context.directories, id), { force: true });
  }
}

/** What a process of ours makes for a moment, under its number, and the halves of files that it was writing. */
async function reapScratch({ directories }: ReapContext): Promise<void> {
  for (const folder of [directories.runtime, directories.data])
    for (const name of listNames(folder)) {
      if (!scratch.test(name) || isScratchOfTheLiving(name)) continue;
      if (name.startsWith('probe-')) await removeCgroup(cgroupPath(directories, name));
      rmSync(join(folder, name), { recursive: true, force: true });
    }
}

const scratch = /^(?:exec|pipe|probe)-(\d+)-|\.(\d+)\.tmp$/;

function isScratchOfTheLiving(name: string): boolean {
  const owner = scratch.exec(name)?.slice(1).find(Boolean);
  return owner !== undefined && isNode(owner);
}

/** A number may be another's by now, as after a start of the machine: who is no Node is none of us. */
function isNode(pid: string): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('node');
  } catch (error) {
    return !['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
}

function notice(context: ReapContext, message: string): void {
  context.report({ type: 'notice', level: 'info', message });
}
