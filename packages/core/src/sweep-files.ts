import { existsSync, lstatSync } from 'node:fs';
import { basename, join } from 'node:path';
import { listNames } from './base/files.ts';
import type { Directories } from './base/directories.ts';
import { buildPlaces } from './build/build-tools.ts';
import type { KnownPlans } from './needed-layers.ts';

/** Logs of failed steps, and what is remembered of folders where no environment is, stay this long. */
const usualSeconds = 14 * 86_400;
/** What lies this long in the cache directory is no download under way. */
const downloadSeconds = 86_400;

/** Paths of folders that steps of no known plan keep between builds, and of downloads that nobody is at. A build may use them: to be taken while nobody uses the store. */
export function oldCaches(directories: Directories, plans: KnownPlans, oldSeconds: number | undefined): readonly string[] {
  const others = listNames(directories.cache).filter((name) => !['steps', 'hashes', 'trash', 'editor'].includes(name));
  return [
    ...stepCaches(directories, plans).filter((path) => age(path) >= (oldSeconds ?? 0)),
    ...others.flatMap((name) => below(join(directories.cache, name))).filter((path) => age(path) > downloadSeconds),
  ];
}

/** Paths of logs of what failed long ago, and of what is remembered of folders where no environment is. */
export function oldLogs(directories: Directories, oldSeconds: number | undefined): readonly string[] {
  const environments = join(directories.state, 'environments');
  const isKnown = (id: string): boolean => existsSync(join(environments, id, 'environment.json'));
  return [
    ...below(buildPlaces(directories).logs),
    ...below(environments).flatMap((folder) => below(join(folder, 'logs'))),
    ...below(environments).filter((folder) => !isKnown(basename(folder))),
    ...below(join(directories.cache, 'hashes')).filter((path) => !isKnown(basename(path, '.json'))),
  ].filter((path) => age(path) > (oldSeconds ?? usualSeconds));
}

/** Folders of steps (build/build-step.ts names them after their targets) that no known plan has. */
function stepCaches(directories: Directories, plans: KnownPlans): readonly string[] {
  if (!plans.complete) return [];
  const wanted = new Set([...plans.caches].map(encodeURIComponent));
  return below(buildPlaces(directories).caches).filter((path) => !wanted.has(basename(path)));
}

/** Files of locks on what is not here, or that nobody keeps anything in. Whether one is held shows when it is removed. */
export function idleLocks({ runtime, data, state }: Directories): readonly string[] {
  return [
    ...['keys', 'chains', 'swapped-layers'].flatMap((kind) => below(join(runtime, kind))),
    ...below(join(runtime, 'containers')).filter((path) => !existsSync(join(data, 'containers', basename(path)))),
    ...below(join(runtime, 'environments')).filter((path) => !existsSync(join(state, 'environments', basename(path)))),
  ];
}

function below(folder: string): readonly string[] {
  return listNames(folder).map((name) => join(folder, name));
}

/** In seconds. */
function age(path: string): number {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats ? (Date.now() - stats.mtimeMs) / 1000 : 0;
}
