import { chmodSync, chownSync, lstatSync, mkdirSync, renameSync, type BigIntStats } from 'node:fs';
import { makeNode } from '../../../base/system-calls.ts';
import { pathOf } from '../../../oci/file-name.ts';
import { listShown, namesIn, type Shown } from '../../../store/merged.ts';
import { isSameEntry } from '../../../store/same-entry.ts';
import { copyProperties, copyTimes } from './copy-entry.ts';
import { copyOnce, copyTree } from './copy-tree.ts';

/** Whether a file, of which `lstat` now says this, is certainly as it was when the tree was made. */
export type IsUntouched = (relative: string, stats: BigIntStats) => boolean;

/**
 * Writes what a tree differs in from the change sets that it was copied from (`lower`, topmost first) into `upper`, as
 * overlayfs would have. What is new is moved where that can be, so the tree is used up.
 */
export async function writeChanges(tree: string, lower: readonly string[], upper: string, isUntouched: IsUntouched): Promise<void> {
  const moved = new Map<bigint, string>();
  const root = lstatSync(tree);
  chownSync(upper, root.uid, root.gid);
  chmodSync(upper, root.mode & 0o7777);

  /** `make` gives the directory in `upper`, made when it is needed. */
  const compare = async (directory: string, relative: string, below: readonly string[], make: () => string): Promise<void> => {
    const names = namesIn(directory);
    const shown = listShown(below);
    for (const name of names) {
      const path = `${directory}/${name}`;
      const inside = relative === '' ? name : `${relative}/${name}`;
      const stats = lstatSync(pathOf(path), { bigint: true });
      const former = shown.get(name);
      if (stats.isDirectory() && former?.stats.isDirectory())
        await compareDirectory({ path, inside, stats, former, make: () => `${make()}/${name}` });
      else if (stats.isDirectory() || !former || !(isUntouched(inside, stats) || isAlike(path, stats, former)))
        await move(path, stats, `${make()}/${name}`, moved);
    }
    const there = new Set(names);
    for (const name of shown.keys()) if (!there.has(name)) makeNode(pathOf(`${make()}/${name}`), characterDevice, 0, 0);
  };

  const compareDirectory = async (entry: {
    path: string;
    inside: string;
    stats: BigIntStats;
    former: Shown;
    make: () => string;
  }): Promise<void> => {
    const { path, inside, stats, former } = entry;
    let made: string | undefined;
    const make = (): string => {
      if (made !== undefined) return made;
      const place = entry.make();
      mkdirSync(pathOf(place), { mode: 0o700 });
      copyProperties(path, stats, place);
      return (made = place);
    };
    if (!isSameEntry({ path, stats }, former)) make();
    await compare(path, inside, former.folders, make);
    if (made !== undefined) copyTimes(stats, made);
  };

  await compare(tree, '', lower, () => upper);
}

/** Several names of one file were made in the tree: copies have one each. */
function isAlike(path: string, stats: BigIntStats, former: Shown): boolean {
  return stats.nlink === 1n && stats.mtimeNs === former.stats.mtimeNs && isSameEntry({ path, stats }, former);
}

async function move(path: string, stats: BigIntStats, target: string, moved: Map<bigint, string>): Promise<void> {
  try {
    renameSync(pathOf(path), pathOf(target));
    return;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
  }
  // A subvolume is a file system of its own for rename(2).
  if (stats.isDirectory()) {
    mkdirSync(pathOf(target), { mode: 0o700 });
    await copyTree([path], target, { links: moved });
    copyProperties(path, stats, target);
    return;
  }
  copyOnce(path, stats, target, moved);
}

const characterDevice = 0o20000; // S_IFCHR
