import { lstatSync, realpathSync, statSync, type Stats } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export const configFileName = 'devenv.json';

export interface ConfigLocation {
  /** Where the user stands; absolute. */
  readonly cwd: string;
  /** A file named by the user, relative to cwd, or a folder that holds a devenv.json. */
  readonly configFile?: string | undefined;
}

/**
 * The file's own name in its folder's real path, or undefined when there is none. Without `configFile`: the nearest
 * devenv.json in cwd and the folders above. A file that is a link belongs to the folder where the link stands, since that
 * is the workspace. Whatever has the name counts, also what is no file (see notAFile): what is meant for this folder must not
 * reach the environment of one above. Reads nothing: a warm `exec` needs no more than this.
 */
export function findConfig(location: ConfigLocation): string | undefined {
  if (location.configFile !== undefined) return named(resolve(location.cwd, location.configFile));
  for (const folder of foldersUpwards(location.cwd)) {
    const candidate = join(folder, configFileName);
    if (look(lstatSync, candidate)) return real(candidate);
  }
  return undefined;
}

/** cwd and everything above it, nearest first. */
export function foldersUpwards(cwd: string): readonly string[] {
  const folders: string[] = [];
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    folders.push(folder);
    if (folder === dirname(folder)) return folders;
  }
}

/** Why what has a configuration's name is none, as the end of a sentence; undefined for a file, and when there is nothing. */
export function notAFile(path: string): string | undefined {
  const stats = look(statSync, path);
  if (stats?.isFile()) return undefined;
  if (stats?.isDirectory()) return 'is a directory, not a file';
  if (stats) return 'is no regular file';
  return look(lstatSync, path) && 'is a broken link';
}

function named(path: string): string | undefined {
  if (look(statSync, path)?.isDirectory()) return named(join(path, configFileName));
  return look(lstatSync, path) && real(path);
}

function real(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

function look(stat: (path: string) => Stats, path: string): Stats | undefined {
  try {
    return stat(path);
  } catch {
    return undefined; // a folder above that we may not look into holds no configuration of ours
  }
}
