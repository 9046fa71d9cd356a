import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { makeSubvolume, removeSubvolume } from '../../../base/btrfs.ts';
import type { Directories } from '../../../base/directories.ts';
import { lock, tryLockNow } from '../../../base/locks.ts';
import { treeSize } from '../../../base/tree-size.ts';
import { pathOf } from '../../../oci/file-name.ts';
import { namesIn } from '../../../store/merged.ts';
import { copiedTree, showCopiedTree, syncFiles } from './copied-tree.ts';
import { copyTree } from './copy-tree.ts';
import { layOver } from './lay-over.ts';
import type { StorageDriver, Tree } from './storage-driver.ts';
import { tryDriver } from './trial.ts';
import { writeChanges } from './write-changes.ts';

/**
 * A tree is a snapshot, which takes no time, of the merged layers: those are kept as a subvolume for each topmost layer, their
 * bytes shared with the layers.
 */
export function btrfsDriver(directories: Directories): StorageDriver {
  const layersFolder = join(directories.data, 'layers');
  const mergedFolder = join(directories.data, 'merged');
  const lockOf = (id: string): string => join(directories.runtime, 'merged', id);

  /** The subvolume of all that a layer of the store shows. Undefined for other directories. */
  const keptPlace = ({ layers }: Pick<Tree, 'layers'>): string | undefined =>
    layers[0] !== undefined && dirname(layers[0]) === layersFolder ? join(mergedFolder, basename(layers[0])) : undefined;

  const keep = async (place: string, layers: readonly string[]): Promise<void> => {
    if (existsSync(place)) return;
    mkdirSync(mergedFolder, { recursive: true, mode: 0o700 });
    using _held = await lock(lockOf(basename(place)));
    if (existsSync(place)) return;
    const unfinished = `${place}.new`;
    const places = layers.map((layer) => join(mergedFolder, basename(layer)));
    const nearest = places.findIndex((path) => existsSync(path));
    removeSubvolume(unfinished);
    makeSubvolume(unfinished, places[nearest]);
    if (nearest < 0) await copyTree(layers, unfinished);
    else for (const layer of layers.slice(0, nearest).toReversed()) layOver(layer, unfinished);
    syncFiles(unfinished);
    renameSync(unfinished, place);
  };

  const driver: StorageDriver = {
    name: 'btrfs',
    async probe(folder) {
      if (statfsSync(folder).type !== btrfsMagic) return { ok: false, answer: 'the data directory is not on btrfs' };
      return tryDriver(driver, folder);
    },
    async mount(tree) {
      const kept = keptPlace(tree);
      if (kept !== undefined && !existsSync(copiedTree(tree))) await keep(kept, tree.layers);
      await showCopiedTree(tree, async (path) => {
        removeSubvolume(path);
        makeSubvolume(path, kept);
        if (kept === undefined) await copyTree(tree.layers, path);
      });
    },
    async collect(tree) {
      const kept = keptPlace(tree);
      const isKept = kept !== undefined && existsSync(kept);
      // A snapshot has the inodes, and the times of their last change, of what it was made from.
      await writeChanges(copiedTree(tree), isKept ? [kept] : tree.layers, tree.upper, (relative, { ino, ctimeNs }) => {
        const before = isKept ? lstatSync(pathOf(`${kept}/${relative}`), { bigint: true, throwIfNoEntry: false }) : undefined;
        return before?.ino === ino && before.ctimeNs === ctimeNs;
      });
      removeSubvolume(copiedTree(tree));
    },
    // A subvolume counts as another file system; and of a snapshot only what was changed takes space.
    hiddenBytes(tree) {
      if (!existsSync(copiedTree(tree))) return 0;
      const kept = keptPlace(tree);
      return kept !== undefined && existsSync(kept) ? changedBytes(copiedTree(tree), kept) : treeSize(copiedTree(tree));
    },
    isServed: () => true,
    async release() {},
    async reap() {
      if (!existsSync(mergedFolder)) return;
      for (const name of readdirSync(mergedFolder)) {
        const id = name.replace(/\.new$/, '');
        if (name === id && existsSync(join(layersFolder, id))) continue;
        using held = tryLockNow(lockOf(id));
        if (held) removeSubvolume(join(mergedFolder, name));
      }
    },
  };
  return driver;
}

function changedBytes(tree: string, before: string): number {
  return namesIn(tree).reduce((sum, name) => {
    const [path, former] = [`${tree}/${name}`, `${before}/${name}`];
    const stats = lstatSync(pathOf(path), { bigint: true });
    if (stats.isDirectory()) return sum + changedBytes(path, former);
    const other = lstatSync(pathOf(former), { bigint: true, throwIfNoEntry: false });
    return other?.ino === stats.ino && other.ctimeNs === stats.ctimeNs ? sum : sum + Number(stats.blocks) * 512;
  }, 0);
}

const btrfsMagic = 0x9123683e; // BTRFS_SUPER_MAGIC
