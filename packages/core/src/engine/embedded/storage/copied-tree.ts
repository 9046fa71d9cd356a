import { chmodSync, chownSync, closeSync, existsSync, lstatSync, openSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { mount, mountFlags, syncFileSystem } from '../../../base/system-calls.ts';
import type { Tree, Writable } from './storage-driver.ts';

/** Where a tree that is no union lies; it is whole when it is there. */
export function copiedTree({ work }: Writable): string {
  return join(work, 'tree');
}

/** Shows the tree that was made before, or that `make` makes now at the path it is given. */
export async function showCopiedTree(tree: Tree, make: (path: string) => Promise<void>): Promise<void> {
  const place = copiedTree(tree);
  if (!existsSync(place)) {
    const unfinished = `${place}.new`;
    await make(unfinished);
    const root = lstatSync(tree.upper);
    chownSync(unfinished, root.uid, root.gid);
    chmodSync(unfinished, root.mode & 0o7777);
    if (!tree.volatile) syncFiles(unfinished);
    renameSync(unfinished, place);
  }
  mount(place, tree.target, null, mountFlags.bind, null);
}

/** After this a crash of the machine takes nothing of it: what has its name is whole. */
export function syncFiles(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    syncFileSystem(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
