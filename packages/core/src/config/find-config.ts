import { realpathSync, statSync } from 'node:fs';
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
 * is the workspace. Reads nothing: a warm `exec` needs no more than this.
 */
export function findConfig(location: ConfigLocation): string | undefined {
  if (location.configFile !== undefined) return named(resolve(location.cwd, location.configFile));
  for (const folder of foldersUpwards(location.cwd)) {
    const candidate = join(folder, configFileName);
    if (kindOf(candidate) === 'file') return real(candidate);
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

function named(path: string): string | undefined {
  const kind = kindOf(path);
  if (kind === 'directory') return named(join(path, configFileName));
  return kind === 'file' ? real(path) : undefined;
}

function real(path: string): string {
  return join(realpathSync(dirname(path)), basename(path));
}

function kindOf(path: string): 'file' | 'directory' | undefined {
  try {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats?.isDirectory()) return 'directory';
    return stats?.isFile() ? 'file' : undefined;
  } catch {
    return undefined; // a folder above that we may not look into holds no configuration of ours
  }
}
