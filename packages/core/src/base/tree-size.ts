import { lstatSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { isMissing, listNames } from './files.ts';

/** Bytes that files take on the disk at and below these paths, hard links counted once; what is missing or vanishes takes none. Stays on the file system of each path. */
export function treeSize(...paths: readonly string[]): number {
  const seen = new Set<string>();
  return paths.reduce((sum, path) => {
    const stats = look(path);
    return stats ? sum + measure(path, stats, stats.dev, seen) : sum;
  }, 0);
}

function measure(path: string, stats: Stats, device: number, seen: Set<string>): number {
  if (stats.dev !== device) return 0;
  if (stats.nlink > 1 && !stats.isDirectory()) {
    const file = `${stats.dev} ${stats.ino}`;
    if (seen.has(file)) return 0;
    seen.add(file);
  }
  let bytes = stats.blocks * 512; // stat(2): whatever the block size is
  if (!stats.isDirectory()) return bytes;
  for (const name of listNames(path)) {
    const inner = look(join(path, name));
    if (inner) bytes += measure(join(path, name), inner, device, seen);
  }
  return bytes;
}

function look(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
