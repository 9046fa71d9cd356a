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
