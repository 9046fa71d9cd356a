import type { Options } from './contract.ts';
import { diskTrouble } from './base/disk-trouble.ts';
import { requireEngine } from './engine/require-engine.ts';
import { placesOf } from './open-tools.ts';

/** A disk that is full or cannot be written is said as what it is, wherever it showed. */
export async function atDisk<T>(options: Pick<Options, 'env'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const trouble = diskTrouble(error, placesOf(options));
    if (trouble?.code === 'NOT_WRITABLE') requireEngine(); // who may not write mostly lacks root
    throw trouble ?? error;
  }
}
