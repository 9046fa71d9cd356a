import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import { isMissing } from '../../base/files.ts';
import { treeSize } from '../../base/tree-size.ts';

export function volumesDirectory(directories: Directories): string {
  return join(directories.data, 'volumes');
}

/** Which ids have changed places in a volume; no file: none. */
export function volumeIdsFile(directories: Directories, name: string): string {
  return join(directories.data, 'volume-ids', `${name}.json`);
}

/** Idempotent: afterwards no volume's name begins so. */
export async function removeVolumes(directories: Directories, prefix: string): Promise<void> {
  for (const name of listVolumes(directories))
    if (name.startsWith(prefix)) {
      rmSync(join(volumesDirectory(directories), name), { recursive: true, force: true });
      rmSync(volumeIdsFile(directories, name), { force: true });
    }
}

export async function measureVolumes(directories: Directories): Promise<readonly { readonly name: string; readonly bytes: number }[]> {
  return listVolumes(directories).map((name) => ({ name, bytes: treeSize(join(volumesDirectory(directories), name)) }));
}

function listVolumes(directories: Directories): string[] {
  try {
    return readdirSync(volumesDirectory(directories));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
