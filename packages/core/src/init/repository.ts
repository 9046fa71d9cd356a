import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** What `init` may see of a folder: names, and the text of files of a sensible size. Never throws: what cannot be read is absent. */
export interface Repository {
  /** Whether a regular file (or a link to one) is there. */
  has(path: string): boolean;
  hasFolder(path: string): boolean;
  text(path: string): string | undefined;
  /** Names in a folder, sorted; none when there is no such folder. */
  list(folder: string): readonly string[];
}

/** Larger than any manifest or lock file whose text says something to us. */
const longest = 1024 * 1024;

export function readRepository(root: string): Repository {
  const kind = (path: string): 'file' | 'folder' | undefined => {
    const stats = quietly(() => statSync(join(root, path)));
    return stats?.isFile() ? 'file' : stats?.isDirectory() ? 'folder' : undefined;
  };
  return {
    has: (path) => kind(path) === 'file',
    hasFolder: (path) => kind(path) === 'folder',
    text: (path) =>
      quietly(() => {
        // A link is not followed: it may lead to a file that is none of the repository's affair.
        const stats = lstatSync(join(root, path));
        return stats.isFile() && stats.size <= longest ? readFileSync(join(root, path), 'utf8') : undefined;
      }),
    list: (folder) => quietly(() => readdirSync(join(root, folder)).toSorted()) ?? [],
  };
}

function quietly<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
