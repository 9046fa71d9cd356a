import { mkdirSync, rmSync, type BigIntStats } from 'node:fs';
import { copiedTree, showCopiedTree } from './copied-tree.ts';
import { copyTree } from './copy-tree.ts';
import type { StorageDriver } from './storage-driver.ts';
import { tryDriver } from './trial.ts';
import { writeChanges } from './write-changes.ts';

/** Files as they were when a tree was made: whoever changes one, changes its inode or its time of change (ctime). */
interface Snapshot {
  readonly files: ReadonlyMap<string, { readonly inode: bigint; readonly changed: bigint }>;
  /** Nanoseconds: what is not older may have been changed in the same tick of the clock. */
  readonly sureUntil: bigint;
}

/** A plain copy, its bytes shared where the file system can (btrfs, xfs). Works everywhere; takes time and space for each tree. */
export function copyDriver(): StorageDriver {
  // Only of trees that this process made; without one, every file is compared with what it was copied from.
  const snapshots = new Map<string, Snapshot>();
  const driver: StorageDriver = {
    name: 'copy',
    probe: (folder) => tryDriver(driver, folder),
    async mount(tree) {
      await showCopiedTree(tree, async (path) => {
        rmSync(path, { recursive: true, force: true });
        mkdirSync(path, { mode: 0o700 });
        const files = new Map<string, { inode: bigint; changed: bigint }>();
        let latest = 0n;
        await copyTree(tree.layers, path, {
          onCopied: (relative, { ino, ctimeNs }) => {
            files.set(relative, { inode: ino, changed: ctimeNs });
            if (ctimeNs > latest) latest = ctimeNs;
          },
        });
        snapshots.set(tree.work, { files, sureUntil: latest - tick });
      });
    },
    async collect(tree) {
      const snapshot = snapshots.get(tree.work);
      snapshots.delete(tree.work);
      const isUntouched = (relative: string, { ino, ctimeNs }: BigIntStats): boolean => {
        const known = snapshot?.files.get(relative);
        return known !== undefined && known.inode === ino && known.changed === ctimeNs && ctimeNs < snapshot!.sureUntil;
      };
      await writeChanges(copiedTree(tree), tree.layers, tree.upper, isUntouched);
      rmSync(copiedTree(tree), { recursive: true });
    },
    hiddenBytes: () => 0,
    isServed: () => true,
    async release() {},
    async reap() {},
  };
  return driver;
}

const tick = 20_000_000n; // file times advance with the timer: every 10 ms at the slowest
