import { linkSync, lstatSync, mkdirSync, type BigIntStats } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathOf } from '../../../oci/file-name.ts';
import { listShown } from '../../../store/merged.ts';
import { copyEntry, copyProperties } from './copy-entry.ts';

export interface CopyOptions {
  /** Remembers copies by inode: names of one file stay one file. Without, each becomes a file of its own, as when overlayfs copies it up. */
  readonly links?: Map<bigint, string>;
  /** Hears of each copy that is no directory: its path relative to the target, and what `lstat` says of it. */
  readonly onCopied?: (relative: string, stats: BigIntStats) => void;
}

/**
 * Copies what stacked change sets show (`folders`: the same directory of each, topmost first) into a directory that exists and
 * keeps its own owner and mode. Lets other work go on from time to time.
 */
export async function copyTree(folders: readonly string[], target: string, options: CopyOptions = {}): Promise<void> {
  let count = 0;
  const copyInto = async (from: readonly string[], to: string, relative: string): Promise<void> => {
    for (const [name, { path, stats, folders: inside }] of listShown(from)) {
      const copy = `${to}/${name}`;
      const place = relative === '' ? name : `${relative}/${name}`;
      if (++count % 256 === 0) await nextTurn();
      if (stats.isDirectory()) {
        mkdirSync(pathOf(copy), { mode: 0o700 });
        await copyInto(inside, copy, place);
        copyProperties(path, stats, copy);
        continue;
      }
      copyOnce(path, stats, copy, options.links);
      options.onCopied?.(place, lstatSync(pathOf(copy), { bigint: true }));
    }
  };
  await copyInto(folders, target, '');
}

/** `links`: copies by inode; further names of one file become further names of its copy. */
export function copyOnce(path: string, stats: BigIntStats, copy: string, links: Map<bigint, string> | undefined): void {
  const former = stats.nlink > 1n ? links?.get(stats.ino) : undefined;
  if (former === undefined) copyEntry(path, stats, copy);
  else linkSync(pathOf(former), pathOf(copy));
  if (stats.nlink > 1n) links?.set(stats.ino, copy);
}
