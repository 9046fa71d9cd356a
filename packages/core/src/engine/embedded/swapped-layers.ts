import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import type { Report } from '../../base/events.ts';
import { lock, tryLockNow } from '../../base/locks.ts';
import { syncTree } from '../../base/system-calls.ts';
import { copyTree } from '../../store/copy-tree.ts';
import { swapOwner, type IdSwap } from './id-swap.ts';

/** Where copies of layers are, by the ids that changed places in them. */
function swappedLayersDirectory(directories: Directories): string {
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
  using _held = await lock(lockOf(directories, basename(folder)));
  const drafts = join(draftsDirectory(directories), basename(folder));
  mkdirSync(drafts, { recursive: true, mode: 0o700 });
  const task = { type: 'task', id: 'swapped-layers', kind: 'container', title: `layers for user ${ids.uid[1]}` } as const;
  const started = performance.now();
  report({ ...task, state: 'started' });
  for (const [index, copy] of copies.entries()) {
    if (existsSync(copy)) continue;
    const unfinished = join(drafts, basename(copy));
    rmSync(unfinished, { recursive: true, force: true }); // a former one was killed
    copyTree(layers[index]!, unfinished, (owner) => swapOwner(ids, owner), true);
    syncTree(unfinished);
    renameSync(unfinished, copy);
  }
  rmSync(drafts, { recursive: true });
  report({ ...task, state: 'done', seconds: (performance.now() - started) / 1000 });
  return copies;
}

/** Removes the copies that commands were at which were killed. */
export function reapSwappedLayers(directories: Directories): void {
  const folder = draftsDirectory(directories);
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    using held = tryLockNow(lockOf(directories, name));
    if (held) rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function draftsDirectory(directories: Directories): string {
  return join(directories.data, 'swapped-layer-drafts');
}

function lockOf(directories: Directories, name: string): string {
  return join(directories.runtime, 'swapped-layers', name);
}
