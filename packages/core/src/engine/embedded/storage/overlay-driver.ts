import { mountOverlay } from '../overlay.ts';
import type { StorageDriver, Tree } from './storage-driver.ts';
import { tryDriver } from './trial.ts';

/** The kernel's own union (linux/Documentation/filesystems/overlayfs.rst): nothing is copied, nothing has to be compared. */
export function overlayDriver(): StorageDriver {
  const driver: StorageDriver = {
    name: 'overlay',
    probe: (folder) => tryDriver(driver, folder),
    async mount({ layers, upper, work, target, volatile }: Tree) {
      // Nothing below: overlayfs wants a lower directory, and the target is an empty one.
      mountOverlay({ lower: layers.length > 0 ? layers : [target], upper, work, target, ...(volatile ? { volatile } : {}) });
    },
    async collect() {},
    hiddenBytes: () => 0,
    isServed: () => true,
    async release() {},
    async reap() {},
  };
  return driver;
}
