import { join } from 'node:path';
import type { BuildOptions } from './contract.ts';
import type { CacheChoice } from './build/build-tools.ts';
import { TransferRates } from './build/transfer-rates.ts';
import type { Config } from './config/config.ts';
import { openSettings, openSteps, placesOf } from './open-tools.ts';
import { requireRepository } from './registry/step-repository.ts';

/**
 * The repositories of steps that the flags, the file and the user's settings name: no others are asked or believed.
 * @throws UserError BAD_VALUE for what is no name of a repository, CONFIG_INVALID when the settings have mistakes
 */
export async function chooseCache(
  config: Pick<Config, 'cache'>,
  options: Pick<BuildOptions, 'env' | 'cacheFrom' | 'cacheTo'>,
): Promise<CacheChoice | undefined> {
  const own = (await openSettings(options)).cache;
  const from = [...new Set([...(options.cacheFrom ?? []), ...config.cache.from, ...own.from])];
  const to = options.cacheTo ?? config.cache.to ?? own.to;
  if (from.length === 0 && to === undefined) return undefined;
  for (const name of [...from, ...(to === undefined ? [] : [to])]) requireRepository(name);
  const rates = new TransferRates(join(placesOf(options).cache, 'transfer-rates.json'));
  return { from, to, rates, open: (name, signal) => openSteps(options, name, signal) };
}
