import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { directories, type Directories } from '../../../base/directories.ts';
import { isMapped } from '../../../base/user-namespace.ts';
import { detachAll } from '../overlay.ts';
import { btrfsDriver } from './btrfs.ts';
import { copyDriver } from './copy.ts';
import { fuseOverlayfsDriver } from './fuse-overlayfs.ts';
import { overlayDriver } from './overlay-driver.ts';
import { processesOf, storageDriverSuite, type DriverUnderTest } from './storage-driver.suite.ts';
import type { StorageDriver } from './storage-driver.ts';
import { describeTree, shownTree, writeLayers } from './suite/layers.suite.ts';

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

const [anywhere, withFuse, withLoop] = [true, canOpen('/dev/fuse'), canOpen('/dev/loop-control') && !isMapped()];

storageDriverSuite('the overlay driver', under('overlay-driver.ts', 'overlayDriver', overlayDriver), anywhere);
storageDriverSuite('the copy driver', under('copy.ts', 'copyDriver', copyDriver), anywhere);
storageDriverSuite('the fuse-overlayfs driver', under('fuse-overlayfs.ts', 'fuseOverlayfsDriver', fuseOverlayfsDriver), withFuse);
storageDriverSuite('the btrfs driver', under('btrfs.ts', 'btrfsDriver', btrfsDriver, mountBtrfs), withLoop);

/** On a file, in the mount namespace of this test. */
function mountBtrfs(base: string): void {
  const file = `${base}.img`;
  writeFileSync(file, '');
  truncateSync(file, 256 * 1024 * 1024);
  execFileSync('mkfs.btrfs', ['--quiet', file]);
  execFileSync('mount', ['-o', 'loop', file, base]);
}

if (withFuse)
  test('a tree whose fuse-overlayfs is killed is known to be lost, and can be mounted again with what was written', async () => {
    const { directories: places, open, end } = under('fuse-overlayfs.ts', 'fuseOverlayfsDriver', fuseOverlayfsDriver)();
    const tree = { layers: [], ...newPlaces(places.data) };
    const driver = open();
    await driver.mount(tree);
    writeFileSync(join(tree.target, 'made'), 'before');
    for (const pid of processesOf(tree)) process.kill(Number(pid), 'SIGKILL');
    while (driver.isServed(tree)) await new Promise((resolve) => setTimeout(resolve, 2));
    detachAll(tree.target);
    await driver.mount(tree);
    expect(readFileSync(join(tree.target, 'made'), 'utf8')).toBe('before');
    detachAll(tree.target);
    await driver.release(tree);
    end();
  });

if (withLoop)
  test('btrfs keeps the merged layers of a store, makes those of the next layer from them, and forgets them with the layer', async () => {
    const { directories: places, open, end } = under('btrfs.ts', 'btrfsDriver', btrfsDriver, mountBtrfs)();
    const layers = writeLayers(join(places.data, 'layers'));
    const driver = open();
    for (const stack of [layers.slice(1), layers]) {
      const tree = { layers: stack, ...newPlaces(places.data) };
      await driver.mount(tree);
      if (stack === layers) expect(describeTree(tree.target)).toEqual(shownTree);
      expect(driver.hiddenBytes(tree)).toBe(0);
      writeFileSync(join(tree.target, 'file'), Buffer.alloc(64 * 1024), { flush: true });
      expect(driver.hiddenBytes(tree)).toBe(64 * 1024);
      detachAll(tree.target);
      await driver.collect(tree);
    }
    expect(readdirSync(join(places.data, 'merged')).toSorted()).toEqual(['lower', 'upper']);
    rmSync(layers[0]!, { recursive: true });
    await open().reap();
    expect(readdirSync(join(places.data, 'merged'))).toEqual(['lower']);
    end();
  });

function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, 'r+'));
    return true;
  } catch {
    return false;
  }
}

function newPlaces(parent: string): { readonly upper: string; readonly work: string; readonly target: string } {
  const place = mkdtempSync(join(parent, 'tree-'));
  const [upper, work, target] = [join(place, 'upper'), join(place, 'work'), join(place, 'target')];
  for (const path of [upper, work, target]) mkdirSync(path, { mode: 0o755 });
  return { upper, work, target };
}
