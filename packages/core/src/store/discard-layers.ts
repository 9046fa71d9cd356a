import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../base/directories.ts';
import { isMissing } from '../base/files.ts';
import { isLayerId } from './kept-records.ts';
import type { LayerId } from './layer-store.ts';
import { namesIn, type StoreContents } from './store-contents.ts';

/**
 * Takes layers, children before their parents, out of the store: quick, since what takes time is left to `emptyTrash`.
 * First goes what names a layer, then the layer, then what is known of it: a stop in between leaves a whole store, and
 * leftovers. Returns how many step records went with them. The caller holds the store's lock alone.
 */
export function discardLayers(directories: Pick<Directories, 'data'>, contents: StoreContents, layers: readonly LayerId[]): number {
  const { data } = directories;
  const going = new Set(layers);
  const records = contents.steps.filter(({ record }) => going.has(record.layer));
  for (const { record } of records) rmSync(join(data, 'step-keys', `${record.key}.json`), { force: true });
  for (const [name, layer] of contents.chains) if (going.has(layer)) rmSync(join(data, 'chains', name), { force: true });
  for (const layer of layers) {
    moveToTrash(data, join(data, 'layers', layer));
    for (const copies of namesIn(join(data, 'swapped-layers'))) moveToTrash(data, join(data, 'swapped-layers', copies, layer));
    forgetLayer(data, layer);
  }
  return records.length;
}

/** Infos and copies of layers that are no longer here, and the halves of files that were being written. The caller holds the store's lock alone. */
export function sweepStore({ data }: Pick<Directories, 'data'>): void {
  const layers = new Set(namesIn(join(data, 'layers')));
  for (const path of leftoversOf(data, layers)) moveToTrash(data, path);
}

/** Idempotent. Needs no lock of the store: nobody knows what is in there any more. */
export function emptyTrash({ data }: Pick<Directories, 'data'>): void {
  rmSync(join(data, 'trash'), { recursive: true, force: true });
}

/** Paths that a command that was killed has left, and that nothing needs. Who writes a layer may be just about to need some: under the lock nobody does. */
export function leftoversOf(data: string, layers: ReadonlySet<string>): readonly string[] {
  const infos = namesIn(join(data, 'layer-info')).filter((name) => {
    const id = name.split('.')[0]!;
    return isTemporary(name) || (isLayerId(id) && !layers.has(id));
  });
  const copies = namesIn(join(data, 'swapped-layers')).flatMap((ids) =>
    namesIn(join(data, 'swapped-layers', ids)).flatMap((name) => (layers.has(name) ? [] : [join('swapped-layers', ids, name)])),
  );
  const halves = ['step-keys', 'chains', 'images', 'volume-ids', '.'].flatMap((folder) =>
    namesIn(join(data, folder)).flatMap((name) => (isTemporary(name) ? [join(folder, name)] : [])),
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

/** Under a name that was never used: an earlier one may still be there. */
export function moveToTrash(data: string, path: string): void {
  mkdirSync(join(data, 'trash'), { recursive: true, mode: 0o700 });
  try {
    renameSync(path, join(data, 'trash', randomBytes(8).toString('hex')));
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
