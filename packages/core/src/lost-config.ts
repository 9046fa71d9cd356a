import { existsSync, realpathSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { foldersUpwards, notAFile, type ConfigLocation } from './config/find-config.ts';
import type { Environments } from './container/environment.ts';

/**
 * The former file of an environment that is still here although its file is not (or is no file any more): the one named, else the nearest to cwd. One
 * that `found`, the file that is there, stands nearer than does not count: then the user means that.
 */
export function lostConfig(environments: Environments, location: ConfigLocation, found: string | undefined): string | undefined {
  const lost = environments
    .list()
    .map(({ configFile }) => configFile)
    .filter((path) => !existsSync(path) || notAFile(path) !== undefined);
  if (found !== undefined && lost.includes(found)) return found;
  if (location.configFile !== undefined) {
    const path = resolve(location.cwd, location.configFile);
    return found === undefined && lost.includes(path) ? path : undefined;
  }
  if (lost.length === 0) return undefined;
  const folders = foldersUpwards(realpathSync(location.cwd));
  const distance = (path: string): number => (folders.includes(dirname(path)) ? folders.indexOf(dirname(path)) : Infinity);
  const [nearest] = lost.toSorted((a, b) => distance(a) - distance(b));
  const reach = found === undefined ? Infinity : distance(found);
  return nearest !== undefined && distance(nearest) < reach ? nearest : undefined;
}
