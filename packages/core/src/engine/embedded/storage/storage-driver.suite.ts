import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Directories } from '../../../base/directories.ts';
import { diffIdOf } from '../../../oci/tar-writer.ts';
import { defaultEpoch, normalise } from '../../../store/normalise.ts';
import { enterEngineNamespace } from '../oci-runtime.ts';
import { detachAll, mountPoints } from '../overlay.ts';
import { overlayDriver } from './overlay-driver.ts';
import { changes } from './suite/changes.suite.ts';
import { describeTree, shownTree, writeLayers } from './suite/layers.suite.ts';
import type { StorageDriver, Tree } from './storage-driver.ts';

export interface DriverUnderTest {
  /** What the driver is to be held to, on a file system where it works. */
  readonly directories: Directories;
  readonly open: () => StorageDriver;
  /** The same as an expression of a program, which has `directories`. */
  readonly program: { readonly module: string; readonly expression: string };
  readonly end: () => void;
}

/** A Node that runs TypeScript, as the command line has it. */
const node = join(import.meta.dirname, '../../../../../../node_modules/.bin/node');

/** What every storage driver must do. Needs root, or root of a user namespace. */
export function storageDriverSuite(name: string, make: () => DriverUnderTest, works: boolean): void {
  if (works)
    // oxlint-disable-next-line vitest/valid-title -- the suite of an interface does not know its implementations
    describe(name, () => {
      let under: DriverUnderTest;
      let folder: string;
      let layers: readonly string[];
      beforeAll(() => {
        enterEngineNamespace();
        under = make();
        folder = under.directories.data;
        layers = writeLayers(join(folder, 'layers'));
      });
      afterAll(() => {
        if (folder) detachAll(folder);
        under?.end();
      });

      const newTree = (stack: readonly string[] = layers, volatile = true): Tree => {
        const place = mkdtempSync(join(folder, 'tree-'));
        const [upper, work, target] = [join(place, 'upper'), join(place, 'work'), join(place, 'target')];
        for (const path of [upper, work, target]) mkdirSync(path, { mode: 0o755 });
        return { layers: stack, upper, work, target, volatile };
      };
      const take = async (driver: StorageDriver, tree: Tree): Promise<void> => {
        detachAll(tree.target);
        await driver.collect(tree);
        normalise(tree.upper, tree.layers, defaultEpoch, {});
      };

      test('shows stacked change sets as one tree, with everything that belongs to their files', async () => {
        const [driver, tree] = [under.open(), newTree()];
        await driver.mount(tree);
        expect(describeTree(tree.target)).toEqual(shownTree);
        expect(driver.isServed(tree)).toBe(true);
        await take(driver, tree);
        expect(readdirSync(tree.upper)).toEqual([]);
      });

      test('shows 128 layers, however long their names are', async () => {
        const inside = 'a folder of a long name/'.repeat(4) + 'end';
        const stack = Array.from({ length: 128 }, (_, number) => join(folder, 'many', String(number), inside));
        for (const [number, path] of stack.entries()) {
          mkdirSync(path, { recursive: true });
          for (const file of ['all', `only ${number}`, `with ${Math.floor(number / 2)}`]) writeFileSync(join(path, file), String(number));
        }
        const [driver, tree] = [under.open(), newTree(stack)];
        await driver.mount(tree);
        expect(readdirSync(tree.target)).toHaveLength(1 + 128 + 64);
        expect(['all', 'only 127', 'with 63'].map((file) => readFileSync(join(tree.target, file), 'utf8'))).toEqual(['0', '127', '126']);
        rmSync(join(tree.target, 'all'));
        await take(driver, tree);
        expect(readdirSync(tree.upper)).toEqual(['all']);
      });

      test('shows an empty tree where there are no layers, with the owner and the mode of its upper directory', async () => {
        const [driver, tree] = [under.open(), newTree([])];
        await driver.mount(tree);
        expect([readdirSync(tree.target), lstatSync(tree.target).mode & 0o777]).toEqual([[], 0o755]);
        writeFileSync(join(tree.target, 'file'), '');
        await take(driver, tree);
        expect(readdirSync(tree.upper)).toEqual(['file']);
      });

      test.each(Object.keys(changes))(
        '%s: gives the layer that says so, the same as overlay, and leaves the others alone',
        async (what) => {
          const before = layers.map((layer) => describeTree(layer));
          const { change, gives } = changes[what]!;
          const layerOf = async (driver: StorageDriver): Promise<Tree> => {
            const tree = newTree();
            await driver.mount(tree);
            change(tree.target);
            await take(driver, tree);
            return tree;
          };
          const { upper } = await layerOf(under.open());
          expect(Object.keys(describeTree(upper))).toEqual(gives);
          expect(layers.map((layer) => describeTree(layer))).toEqual(before);
          const reference = await layerOf(overlayDriver());
          expect(describeTree(upper)).toEqual(describeTree(reference.upper));
          expect(await diffIdOf(upper)).toBe(await diffIdOf(reference.upper));
        },
      );

      test('lets a folder that was made for a step only go again', async () => {
        const [driver, tree] = [under.open(), newTree()];
        await driver.mount(tree);
        mkdirSync(join(tree.target, 'dir/made/for it'), { recursive: true });
        detachAll(tree.target);
        await driver.collect(tree);
        normalise(tree.upper, layers, defaultEpoch, { litter: ['dir/made', 'dir/made/for it'] });
        expect(readdirSync(tree.upper)).toEqual([]);
      });

      test('shows what was done before when a tree is mounted again, and still knows what changed', async () => {
        const tree = newTree(layers, false);
        const first = under.open();
        await first.mount(tree);
        writeFileSync(join(tree.target, 'made'), 'before');
        rmSync(join(tree.target, 'file'));
        detachAll(tree.target);
        await first.release(tree);
        const second = under.open();
        await second.mount(tree);
        expect([readFileSync(join(tree.target, 'made'), 'utf8'), readdirSync(tree.target).includes('file')]).toEqual(['before', false]);
        await take(second, tree);
        expect(readdirSync(tree.upper).toSorted()).toEqual(['file', 'made']);
      });

      test('leaves nothing behind: no mount, no process, no folder', async () => {
        const tree = newTree();
        const driver = under.open();
        await driver.mount(tree);
        detachAll(tree.target);
        await driver.release(tree);
        await driver.release(tree);
        rmSync(join(tree.target, '..'), { recursive: true });
        expect([mountPoints().filter((point) => point.startsWith(`${folder}/`)), processesOf(tree)]).toEqual([[], []]);
      });

      test('leaves a tree whose owner is killed to be mounted again', async () => {
        const tree = newTree(layers, false);
        const { module, expression } = under.program;
        const program = `
        import { writeFileSync } from 'node:fs';
        import { enterEngineNamespace } from ${JSON.stringify(join(import.meta.dirname, '../oci-runtime.ts'))};
        import * as drivers from ${JSON.stringify(module)};
        const directories = ${JSON.stringify(under.directories)}; const tree = ${JSON.stringify(tree)};
        enterEngineNamespace();
        await ${expression}.mount(tree);
        writeFileSync(tree.target + '/made', 'before');
        console.log('ready'); setTimeout(() => {}, 60000);`;
        const child = spawn(node, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
        await once(child.stdout, 'data');
        child.kill('SIGKILL');
        await once(child, 'close');
        while (processesOf(tree).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
        const driver = under.open();
        await driver.mount(tree);
        expect(readFileSync(join(tree.target, 'made'), 'utf8')).toBe('before');
        await take(driver, tree);
      });

      test('says that it works, and of that nothing remains', async () => {
        const scratch = mkdtempSync(join(folder, 'probe-'));
        expect(await under.open().probe(scratch)).toEqual({ ok: true, answer: 'works' });
        rmSync(scratch, { recursive: true });
      });
    });
}

/** Programs that work for a tree. */
export function processesOf({ work }: Pick<Tree, 'work'>): string[] {
  return readdirSync('/proc').filter((pid) => /^\d+$/.test(pid) && pid !== String(process.pid) && worksOn(pid, work));
}

function worksOn(pid: string, path: string): boolean {
  try {
    if (basename(readlinkSync(`/proc/${pid}/exe`)) === 'node') return false;
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(path);
  } catch {
    return false; // it ended
  }
}
