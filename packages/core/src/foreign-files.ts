import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { listNames } from './base/files.ts';

export interface ForeignFiles {
  readonly count: number;
  /** Paths in the directory of the first few. */
  readonly examples: readonly string[];
}

/** What a user namespace shows as nobody's: whose it is only the machine's root sees (user_namespaces(7), /proc/sys/kernel/overflowuid). */
export function foreignFiles(directory: string): ForeignFiles {
  let count = 0;
  const examples: string[] = [];
  const look = (path: string, name: string): void => {
    const stats = lstatSync(path);
    if (stats.uid === nobody || stats.gid === nobody) {
      count++;
      if (examples.length < 3) examples.push(name || '.');
    }
    if (stats.isDirectory()) for (const inner of listNames(path)) look(join(path, inner), join(name, inner));
  };
  look(`${directory}/.`, '');
  return { count, examples };
}

const nobody = 65_534;
