import { statSync } from 'node:fs';
import { UserError } from '../../base/errors.ts';
import { find, type Owner } from './tree.ts';

export interface MountPointOptions {
  readonly owner?: Owner;
  readonly onMade?: (path: string) => void;
}

/**
 * Makes an empty file or directory to mount on, with its parents, where there is nothing. Runtimes do it too, but with modes
 * of their own and no word of what they made.
 */
export function makeMountPoint(tree: string, path: string, kind: 'file' | 'directory', options: MountPointOptions = {}): void {
  const { uid, gid } = options.owner ?? { uid: 0, gid: 0 };
  using _place = find(tree, path, { create: { uid, gid, mode: 0o755, kind, onMade: options.onMade } });
}

/**
 * As makeMountPoint, in the directory `content` that is mounted at `outer.target`, mostly a folder of the host, for its owner.
 * @throws UserError NOT_WRITABLE, BAD_VALUE
 */
export function makeMountPointInside(
  outer: { readonly target: string; readonly content: string },
  target: string,
  kind: 'file' | 'directory',
): void {
  const path = target.slice(outer.target.length);
  refuseLink(outer.content, path, target);
  try {
    makeMountPoint(outer.content, path, kind, { owner: statSync(outer.content) });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EROFS' && code !== 'EACCES' && code !== 'EPERM') throw error;
    const what = code === 'EROFS' ? 'is read-only' : 'cannot be written';
    throw new UserError('NOT_WRITABLE', `The folder ${outer.content} ${what}: the mount point of ${target} cannot be made in it.`, {
      hint: `Make the ${kind} ${outer.content}${path} where the folder can be written, or make the folder writable.`,
      cause: error,
    });
  }
}

/** A link in it means one place here and another inside, and could lead the mount over /proc. */
function refuseLink(content: string, path: string, target: string): void {
  const parts = path.split('/').filter(Boolean);
  for (let count = 1; count <= parts.length; count++) {
    const part = `/${parts.slice(0, count).join('/')}`;
    using place = find(content, part, { keepLink: true });
    if (!place) return;
    if (place.stats.isSymbolicLink()) throw new UserError('BAD_VALUE', `nothing can be mounted at ${target}: ${content}${part} is a link`);
  }
}
