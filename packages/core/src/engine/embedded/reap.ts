import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Report } from '../../base/events.ts';
import { isMissing, readJson } from '../../base/files.ts';
import { tryLockNow } from '../../base/locks.ts';
import { buildsDirectory, endBuild, type BuildOwner } from './build.ts';
import { removeCgroup } from './cgroup.ts';
import { cgroupPath, containerFiles, listContainers, readProcesses, readRecord, type Journal } from './container-files.ts';
import { containerLock, endProcesses, removeContainer, tidyContainer, writables } from './container.ts';
import { isAlive } from './living-process.ts';
import { hasNetwork } from './network.ts';
import { deleteFromRuntime, runtimeRoot } from './oci-runtime.ts';
import type { OciRuntime } from './runtime-call.ts';
import { endStrays } from './strays.ts';
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
  await context.store.reap();
  await context.storage.reap();
  for (const directory of listContainers(context.directories)) await reapContainer(directory, context);
  for (const name of list(buildsDirectory(context))) await reapBuild(join(buildsDirectory(context), name), context);
  await reapRuntimeState(context);
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
  const journal = readJson<Journal>(files.journal);
  if (journal && isAlive(journal.owner)) return;
  if (!readRecord(directory) || isAbandoned(directory) || journal?.doing === 'create' || journal?.doing === 'remove') {
    await removeContainer(directory, context, (grace) => endProcesses(directory, grace));
    notice(context, `removed the container ${id}, which a command that was killed had left behind`);
  } else if (hasLostItsTree(directory, context)) {
    await endProcesses(directory, 0);
    await tidyContainer(directory, context);
    notice(context, `ended the container ${id}: the program that served its file system is gone`);
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
  const owner = readJson<BuildOwner>(join(directory, 'owner.json'))?.owner;
  if (owner ? isAlive(owner) : isYoung(directory)) return;
  const runtime = await context.runtime();
  await endStrays(directory);
  for (const id of list(directory).filter((name) => name.startsWith('step-'))) {
    await deleteFromRuntime(runtime, id);
    await removeCgroup(cgroupPath(context.directories, id));
  }
  await endBuild(directory);
  notice(context, 'ended a build step whose command was killed');
}

/** Containers that the runtime knows and nobody else: their directories were removed by hand. */
async function reapRuntimeState(context: ReapContext): Promise<void> {
  const root = runtimeRoot(context.directories);
  for (const id of list(root)) {
    const isOwned = id.startsWith('step-')
      ? existsSync(join(buildsDirectory(context), id.split('-')[1] ?? ''))
      : existsSync(join(context.directories.data, 'containers', id));
    if (isOwned || isYoung(join(root, id))) continue;
    await deleteFromRuntime(await context.runtime(), id);
    await removeCgroup(cgroupPath(context.directories, id));
  }
}

/** Its owner may be just about to sign it. */
function isYoung(path: string): boolean {
  try {
    return Date.now() - statSync(path).mtimeMs < 10_000;
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

function notice(context: ReapContext, message: string): void {
  context.report({ type: 'notice', level: 'info', message });
}
