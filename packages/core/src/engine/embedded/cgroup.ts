import { readdirSync, readFileSync, rmdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../base/errors.ts';
import { isMissing, readText } from '../../base/files.ts';

const mountPoint = '/sys/fs/cgroup';

/** How often the kernel ended a process of the group for want of memory; undefined when it does not say. */
export function outOfMemoryCount(cgroup: string | undefined): number | undefined {
  if (cgroup === undefined) return undefined;
  for (const path of [`${mountPoint}${cgroup}/memory.events`, `${mountPoint}/memory${cgroup}/memory.oom_control`]) {
    try {
      const count = /^oom_kill (\d+)$/m.exec(readFileSync(path, 'utf8'))?.[1];
      if (count !== undefined) return Number(count);
    } catch (error) {
      if (!isMissing(error) && (error as NodeJS.ErrnoException).code !== 'ENODEV') throw error;
    }
  }
  return undefined;
}

/**
 * Idempotent: afterwards no hierarchy has the group, and what was in it has ended. A group whose last process just ended can
 * stay busy for 0.1 s.
 * @throws UserError RUNTIME_FAILED
 */
export async function removeCgroup(cgroup: string | undefined): Promise<void> {
  if (cgroup === undefined) return;
  for (let attempt = 0; ; attempt++) {
    const left = hierarchies().filter((hierarchy) => !removeGroup(join(hierarchy, cgroup)));
    if (left.length === 0) return;
    if (attempt >= 5) for (const hierarchy of left) killMembers(join(hierarchy, cgroup));
    if (attempt === 100) throw staysBusy(left.map((hierarchy) => join(hierarchy, cgroup)));
    await delay(20);
  }
}

function staysBusy(groups: readonly string[]): UserError {
  return new UserError('RUNTIME_FAILED', `What runs in the control group ${groups[0]} cannot be ended from here.`, {
    hint: 'It may have been started outside of the container that you are in: run the same command there. On this machine: cat its cgroup.procs.',
  });
}

/** The group is a container's own: who is still in it was missed by its runtime. */
function killMembers(group: string): void {
  for (const pid of (readText(join(group, 'cgroup.procs')) ?? '').split('\n').filter(Boolean)) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** One hierarchy (version 2), or one for each controller (version 1), links to others left out. */
function hierarchies(): string[] {
  const folders = readdirSync(mountPoint, { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !entry.name.startsWith('devenv-'),
  );
  return [mountPoint, ...folders.map(({ name }) => join(mountPoint, name))];
}

/** Its groups first: a container may have made some. False when it is busy. */
function removeGroup(path: string): boolean {
  if (isPlainFolder(path)) {
    rmSync(path, { recursive: true, force: true });
    return true;
  }
  let names: string[];
  try {
    names = readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch (error) {
    if (isMissing(error)) return true;
    throw error;
  }
  const inner = names.map((name) => removeGroup(join(path, name)));
  if (inner.includes(false)) return false;
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return true;
    if ((error as NodeJS.ErrnoException).code === 'EBUSY') return false;
    throw error;
  }
}

/** What a runtime made where it took a folder for a hierarchy: see enterEngineNamespace. */
function isPlainFolder(path: string): boolean {
  const temporary = 0x01021994; // TMPFS_MAGIC
  try {
    return statfsSync(path).type === temporary;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
