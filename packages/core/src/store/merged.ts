import { lstatSync, readdirSync, type BigIntStats } from 'node:fs';
import { getAttribute, listAttributes } from '../base/system-calls.ts';
import { overlayAttributes } from '../base/user-namespace.ts';
import { decodeName, pathOf } from '../oci/file-name.ts';

/** What stacked change sets show under a name (linux/Documentation/filesystems/overlayfs.rst). */
export interface Shown {
  /** The topmost of what has the name: its content, owner, mode and times are the ones that are seen. */
  readonly path: string;
  readonly stats: BigIntStats;
  /** Of a directory: all that are merged in it, topmost first. */
  readonly folders: readonly string[];
}

/** What the same directory of several change sets (topmost first) shows under one name. Paths are as `decodeName` makes them. */
export function lookUp(folders: readonly string[], name: string): Shown | undefined {
  const found: string[] = [];
  let stats: BigIntStats | undefined;
  for (const folder of folders) {
    const path = `${folder}/${name}`;
    const here = lstatSync(pathOf(path), { bigint: true, throwIfNoEntry: false });
    if (!here) continue;
    if (isWhiteout(here)) break;
    if (!here.isDirectory()) {
      if (found.length === 0) return { path, stats: here, folders: [] };
      break; // a directory above hides it, and it hides what is below
    }
    stats ??= here;
    found.push(path);
    if (isOpaque(path)) break;
  }
  return stats && { path: found[0]!, stats, folders: found };
}

/** Everything that the same directory of several change sets shows, by name in no order. */
export function listShown(folders: readonly string[]): ReadonlyMap<string, Shown> {
  const shown = new Map<string, Shown>();
  const seen = new Set<string>();
  for (const [index, folder] of folders.entries())
    for (const name of namesIn(folder)) {
      if (seen.has(name)) continue;
      seen.add(name);
      const found = lookUp(folders.slice(index), name);
      if (found) shown.set(name, found);
    }
  return shown;
}

export function namesIn(folder: string): string[] {
  return readdirSync(pathOf(folder), { encoding: 'buffer' }).map(decodeName);
}

/** overlayfs marks a removed name by a character device 0:0. */
export function isWhiteout(stats: BigIntStats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0n;
}

/** A directory that hides all below it. */
export function isOpaque(path: string): boolean {
  const name = `${overlayAttributes()}.overlay.opaque`;
  // Listed first: to ask for one that is missing costs an exception.
  return listAttributes(pathOf(path)).includes(name) && getAttribute(pathOf(path), name)?.toString() === 'y';
}
