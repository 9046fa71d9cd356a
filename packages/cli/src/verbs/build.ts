import type { BuildOptions } from '@devenv/core';
import type { BuildFlags, CacheFlags } from '../command-line.ts';
import { perform } from '../perform.ts';
import { describeBuild } from '../render/ready.ts';

export async function build(flags: BuildFlags & CacheFlags): Promise<number> {
  return await perform('build', flags, async ({ core, options }) => {
    const result = await core.build({ ...options, ...buildWishes(flags) });
    return { json: result, message: describeBuild(result) };
  });
}

/** What core knows of the flags. */
export function buildWishes({ noCache, refresh, frozen, offline, cacheFrom, cacheTo }: BuildFlags & CacheFlags): Partial<BuildOptions> {
  return { noCache, refresh, frozen, offline, ...(cacheFrom ? { cacheFrom } : {}), ...(cacheTo === undefined ? {} : { cacheTo }) };
}
