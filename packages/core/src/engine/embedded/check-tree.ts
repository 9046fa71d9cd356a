import { posix } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { find, type Place } from './tree.ts';

/** Directories that a runtime fills itself. */
const systemDirectories = ['/dev', '/proc', '/sys'];

/**
 * Refuses a tree whose links would lead a runtime astray. Runtimes follow what an image has at /dev: crun makes device nodes
 * where a link leads, out of the tree. And what is mounted over a part of /proc hides it from the runtime, which then
 * writes its settings where the mount says (CVE-2025-52881). @throws UserError BAD_VALUE
 */
export function checkTree(tree: string, { workdir, targets }: { readonly workdir: string; readonly targets: readonly string[] }): void {
  for (const path of systemDirectories) {
    using place = find(tree, path, { keepLink: true });
    if (place && !place.stats.isDirectory()) throw new UserError('BAD_VALUE', `${path} is no directory in the image: it cannot be run`);
  }
  using place = find(tree, workdir);
  checkWorkdir(place, workdir);
  for (const target of targets) checkTarget(tree, target);
}

/** /proc/self/fd leads to what the runtime has open, and that may be the host's (CVE-2024-21626). @throws UserError BAD_VALUE */
export function checkWorkdir(place: Pick<Place, 'path'> | undefined, workdir: string): void {
  if (isIn('/proc', place?.path ?? posix.normalize(workdir)))
    throw new UserError('BAD_VALUE', `the working directory ${workdir} is in /proc: no command can start there`);
}

function checkTarget(tree: string, target: string): void {
  using place = find(tree, target);
  const wanted = posix.normalize(target);
  const found = place?.path ?? wanted;
  if (found === '/' || found === '/dev' || found === '/sys' || isIn('/proc', found))
    throw new UserError(
      'BAD_VALUE',
      `nothing can be mounted at ${target}${found === wanted ? '' : `: the image has a link to ${found} there`}`,
    );
  if (found !== wanted && systemDirectories.some((path) => isIn(path, found)))
    throw new UserError('BAD_VALUE', `nothing can be mounted at ${target}: the image has a link to ${found} there`);
}

function isIn(directory: string, path: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}
