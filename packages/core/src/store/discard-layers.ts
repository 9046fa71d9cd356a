import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../base/directories.ts';
import { isMissing, listNames } from '../base/files.ts';
import { isLayerId } from './kept-records.ts';
import type { LayerId } from './layer-store.ts';
import { type StoreContents } from './store-contents.ts';

/**
 * Takes layers, children before their parents, out of the store: quick, since what takes time is left to `emptyTrash`.
 * First goes what names a layer, then the layer, then what is known of it: a stop in between leaves a whole store, and
 * leftovers. Returns where the copies of these layers lie now. The caller holds the store's lock alone.
 */
export function discardLayers(
  directories: Pick<Directories, 'data'>,
  contents: StoreContents,
  layers: readonly LayerId[],
): readonly string[] {
  const { data } = directories;
  const going = new Set(layers);
  for (const { record } of contents.steps)
    if (going.has(record.layer)) rmSync(join(data, 'step-keys', `${record.key}.json`), { force: true });
  for (const [name, layer] of contents.chains) if (going.has(layer)) rmSync(join(data, 'chains', name), { force: true });
  const copies: string[] = [];
  for (const layer of layers) {
    moveToTrash(data, join(data, 'layers', layer));
    for (const ids of listNames(join(data, 'swapped-layers'))) copies.push(...moveToTrash(data, join(data, 'swapped-layers', ids, layer)));
    forgetLayer(data, layer);
  }
  return copies;
}

/** Infos and copies of layers that are no longer here, and halves of files that were being written. Returns where they lie now. The caller holds the store's lock alone. */
export function sweepStore({ data }: Pick<Directories, 'data'>): readonly string[] {
  const layers = new Set(listNames(join(data, 'layers')));
  return leftoversOf(data, layers).flatMap((path) => moveToTrash(data, path));
}

/** Idempotent. Needs no lock of the store: nobody knows what is in there any more. */
export function emptyTrash(folder: string): void {
  try {
    rmSync(join(folder, 'trash'), { recursive: true, force: true });
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error; // somebody else is at it too
  }
}

/** Paths that a command that was killed has left, and that nothing needs. Who writes a layer may be just about to need some: under the lock nobody does. */
export function leftoversOf(data: string, layers: ReadonlySet<string>): readonly string[] {
  const infos = listNames(join(data, 'layer-info')).filter((name) => {
    const id = name.split('.')[0]!;
    return isTemporary(name) || (isLayerId(id) && !layers.has(id));
  });
  const copies = listNames(join(data, 'swapped-layers')).flatMap((ids) =>
    listNames(join(data, 'swapped-layers', ids)).flatMap((name) => (layers.has(name) ? [] : [join('swapped-layers', ids, name)])),
  );
  const halves = ['step-keys', 'chains', 'images', 'volume-ids', '.'].flatMap((folder) =>
    listNames(join(data, folder)).flatMap((name) => (isTemporary(name) ? [join(folder, name)] : [])),
  );
  return [...infos.map((name) => join('layer-info', name)), ...copies, ...halves].map((path) => join(data, path));
}

/** As writeFileAtomically names what it is writing; not what a process may still be at. */
function isTemporary(name: string): boolean {
  const writer = /\.(\d+)\.tmp$/.exec(name)?.[1];
  return writer !== undefined && !existsSync(`/proc/${writer}`);
}

function forgetLayer(data: string, layer: LayerId): void {
  for (const end of ['json', 'files', 'tar']) rmSync(join(data, 'layer-info', `${layer}.${end}`), { force: true });
  moveToTrash(data, join(data, 'layer-info', `${layer}.replaced`));
}

/** Under a name that was never used: an earlier one may still be there. Returns it; nothing when there is nothing to move. */
export function moveToTrash(folder: string, path: string): readonly string[] {
  const target = join(folder, 'trash', randomBytes(8).toString('hex'));
  for (;;) {
    try {
      mkdirSync(join(folder, 'trash'), { recursive: true, mode: 0o700 });
      renameSync(path, target);
      return [target];
    } catch (error) {
      if (!isMissing(error)) throw error;
      if (!lstatSync(path, { throwIfNoEntry: false })) return [];
      // Somebody has just emptied the trash, and removed it: before the move, or while it was made.
    }
  }
}
