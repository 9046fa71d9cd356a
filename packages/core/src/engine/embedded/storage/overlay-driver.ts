import { isInsideContainer, isOverlay } from '../outer-container.ts';
import { mountOverlay } from '../overlay.ts';
import type { StorageDriver, Tree } from './storage-driver.ts';
import { tryDriver } from './trial.ts';

/** The kernel's own union (linux/Documentation/filesystems/overlayfs.rst): nothing is copied, nothing has to be compared. */
export function overlayDriver(): StorageDriver {
  const driver: StorageDriver = {
    name: 'overlay',
    async probe(folder) {
      if (!isOverlay(folder)) return tryDriver(driver, folder);
      const fix = isInsideContainer()
        ? 'set DEVENV_BASE_DIR to a volume or a tmpfs: docker run -v devenv:/devenv -e DEVENV_BASE_DIR=/devenv …'
        : 'set DEVENV_BASE_DIR to a folder on ext4, xfs, btrfs or tmpfs';
      return { ok: false, answer: 'the data directory is on an overlay itself, and an overlay cannot be written to another', fix };
    },
    async mount({ layers, upper, work, target, volatile }: Tree) {
      // Nothing below: overlayfs wants a lower directory, and the target is an empty one.
      mountOverlay({ lower: layers.length > 0 ? layers : [target], upper, work, target, ...(volatile ? { volatile } : {}) });
    },
    async collect() {},
    isServed: () => true,
    async release() {},
    async reap() {},
  };
  return driver;
}
