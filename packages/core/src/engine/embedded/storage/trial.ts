import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../../base/errors.ts';
import { isWhiteout } from '../../../store/merged.ts';
import { detachAll } from '../overlay.ts';
import type { StorageDriver, StorageFinding } from './storage-driver.ts';

/** Makes a tree of two layers with a driver, changes it and looks at what is collected. */
export async function tryDriver(driver: Pick<StorageDriver, 'mount' | 'collect' | 'release'>, folder: string): Promise<StorageFinding> {
  const at = (...names: string[]): string => join(folder, ...names);
  for (const name of ['a', 'b', 'upper', 'work', 'target']) mkdirSync(at(name));
  const tree = { layers: [at('b'), at('a')], upper: at('upper'), work: at('work'), target: at('target'), volatile: true };
  try {
    writeFileSync(at('a', 'lower'), 'lower');
    writeFileSync(at('b', 'upper'), 'upper');
    await driver.mount(tree);
    const shown = readFileSync(at('target', 'lower'), 'utf8');
    rmSync(at('target', 'upper'));
    writeFileSync(at('target', 'new'), 'new');
    detachAll(folder);
    await driver.collect(tree);
    const works =
      shown === 'lower' &&
      readdirSync(at('upper')).toSorted().join() === 'new,upper' &&
      isWhiteout(lstatSync(at('upper', 'upper'), { bigint: true })) &&
      existsSync(at('b', 'upper'));
    return works ? { ok: true, answer: 'works' } : { ok: false, answer: 'does not show layers as it should' };
  } catch (error) {
    const fix = error instanceof UserError ? error.hint : undefined;
    return { ok: false, answer: (error as Error).message, ...(fix === undefined ? {} : { fix }) };
  } finally {
    detachAll(folder);
    await driver.release(tree);
  }
}
