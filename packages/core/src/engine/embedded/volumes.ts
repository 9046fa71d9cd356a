import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import { listNames } from '../../base/files.ts';
import { tryLockNow } from '../../base/locks.ts';
import { treeSize } from '../../base/tree-size.ts';
import { emptyTrash, moveToTrash } from '../../store/discard-layers.ts';
import type { Runner } from '../engine.ts';
import { listContainers, readRecord } from './container-files.ts';

export function volumesDirectory(directories: Directories): string {
  return join(directories.data, 'volumes');
}

/** Which ids have changed places in a volume; no file: none. */
export function volumeIdsFile(directories: Directories, name: string): string {
  return join(directories.data, 'volume-ids', `${name}.json`);
}

/** Where a volume is made, or its successor when it has to be another one. `former` is the one that `made` takes the place of. */
export function volumeDraft(
  directories: Directories,
  name: string,
): { readonly folder: string; readonly made: string; readonly former: string; readonly ids: string } {
  const folder = join(directories.data, 'volume-drafts', name);
  return { folder, made: join(folder, 'made'), former: join(folder, 'former'), ids: join(folder, 'ids.json') };
}

/** Removes what was to be a volume. One that is about to take another's place is left to who next wants the volume: it is finished. */
export function reapVolumeDrafts(directories: Directories): void {
  for (const name of listNames(join(directories.data, 'volume-drafts'))) {
    using held = tryLockNow(volumeLock(directories, name));
    const { folder, former } = volumeDraft(directories, name);
    if (held && !existsSync(former)) rmSync(folder, { recursive: true, force: true });
  }
}

export function volumeLock(directories: Directories, name: string): string {
  return join(directories.runtime, 'volumes', name);
}

/** Idempotent: afterwards there is none of these. Each goes at once: half of one would be taken for a whole. */
export async function removeVolumes(directories: Directories, isGoing: (name: string) => boolean): Promise<void> {
  for (const name of listVolumes(directories))
    if (isGoing(name)) {
      moveToTrash(directories.data, join(volumesDirectory(directories), name));
      rmSync(volumeIdsFile(directories, name), { force: true });
      rmSync(volumeDraft(directories, name).folder, { recursive: true, force: true });
    }
  emptyTrash(directories.data);
}

export async function measureVolumes(directories: Directories): ReturnType<Runner['volumes']> {
  const used = usedVolumes(directories);
  return listVolumes(directories).map((name) => ({
    name,
    bytes: treeSize(join(volumesDirectory(directories), name)),
    used: used.has(name),
  }));
}

function usedVolumes(directories: Directories): ReadonlySet<string> {
  const mounts = listContainers(directories).flatMap((directory) => readRecord(directory)?.spec.mounts ?? []);
  return new Set(mounts.flatMap((mount) => (mount.type === 'volume' ? [mount.name] : [])));
}

function listVolumes(directories: Directories): string[] {
  return listNames(volumesDirectory(directories));
}
