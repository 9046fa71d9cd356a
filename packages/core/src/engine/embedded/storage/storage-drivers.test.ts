import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directories, type Directories } from '../../../base/directories.ts';
import { btrfsDriver } from './btrfs.ts';
import { copyDriver } from './copy.ts';
import { fuseOverlayfsDriver } from './fuse-overlayfs.ts';
import { overlayDriver } from './overlay-driver.ts';
import { storageDriverSuite, type DriverUnderTest } from './storage-driver.suite.ts';
import type { StorageDriver } from './storage-driver.ts';

const under =
  (
    module: string,
    maker: string,
    open: (places: Directories) => StorageDriver,
    prepare: (base: string) => void = () => {},
  ): (() => DriverUnderTest) =>
  () => {
    const scratch = mkdtempSync(join(tmpdir(), 'devenv-storage-'));
    const base = join(scratch, 'base');
    mkdirSync(base);
    prepare(base);
    const places = directories({ DEVENV_BASE_DIR: base }, 0);
    mkdirSync(places.data);
    return {
      directories: places,
      open: () => open(places),
      program: { module: join(import.meta.dirname, module), expression: `drivers.${maker}(directories)` },
      end: () => {
        if (prepare.length > 0) execFileSync('umount', [base]);
        rmSync(scratch, { recursive: true });
      },
    };
  };

storageDriverSuite('the overlay driver', under('overlay-driver.ts', 'overlayDriver', overlayDriver));
storageDriverSuite('the copy driver', under('copy.ts', 'copyDriver', copyDriver));
storageDriverSuite('the fuse-overlayfs driver', under('fuse-overlayfs.ts', 'fuseOverlayfsDriver', fuseOverlayfsDriver));
storageDriverSuite('the btrfs driver', under('btrfs.ts', 'btrfsDriver', btrfsDriver, mountBtrfs));

/** On a file, in the mount namespace of this test. */
function mountBtrfs(base: string): void {
  const file = `${base}.img`;
  writeFileSync(file, '');
  truncateSync(file, 256 * 1024 * 1024);
  execFileSync('mkfs.btrfs', ['--quiet', file]);
  execFileSync('mount', ['-o', 'loop', file, base]);
}
