import { closeSync, existsSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import type { Report } from '../../base/events.ts';
import { lock } from '../../base/locks.ts';
import { syncFileSystem } from '../../base/system-calls.ts';
import { copyTree } from '../../store/copy-tree.ts';
import { swapOwner, type IdSwap } from './id-swap.ts';

/** Where copies of layers are, by the ids that changed places in them. */
export function swappedLayersDirectory(directories: Directories): string {
  return join(directories.data, 'swapped-layers');
}

/**
 * The same layers with two owners exchanged, each copied once. They are copies only: a layer is named, recorded and exported
 * by its original, and whoever removes that removes them. `layers`: directories of the store, topmost first.
 */
export async function swappedLayers(
  layers: readonly string[],
  ids: IdSwap,
  { directories, report }: { readonly directories: Directories; readonly report: Report },
): Promise<readonly string[]> {
  const folder = join(swappedLayersDirectory(directories), `${ids.uid.join('-')}.${ids.gid.join('-')}`);
  const copies = layers.map((layer) => join(folder, basename(layer)));
  if (copies.every((copy) => existsSync(copy))) return copies;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  using _held = await lock(join(directories.runtime, 'swapped-layers', basename(folder)));
  const task = { type: 'task', id: 'swapped-layers', kind: 'container', title: `layers for user ${ids.uid[1]}` } as const;
  const started = performance.now();
  report({ ...task, state: 'started' });
  for (const [index, copy] of copies.entries()) {
    if (existsSync(copy)) continue;
    const unfinished = `${copy}.new`; // a former one was killed
    rmSync(unfinished, { recursive: true, force: true });
    copyTree(layers[index]!, unfinished, (owner) => swapOwner(ids, owner), true);
    sync(unfinished);
    renameSync(unfinished, copy);
  }
  report({ ...task, state: 'done', seconds: (performance.now() - started) / 1000 });
  return copies;
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    syncFileSystem(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
