import type { Options } from './contract.ts';
import { diskTrouble } from './base/disk-trouble.ts';
import { placesOf } from './open-tools.ts';

/** A disk that is full or cannot be written is said as what it is, wherever it showed. */
export async function atDisk<T>(options: Pick<Options, 'env'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskTrouble(error, placesOf(options)) ?? error;
  }
}
