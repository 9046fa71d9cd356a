import type { BuildFlags } from '../command-line.ts';
import { perform } from '../perform.ts';
import { describeUp } from '../render/ready.ts';

export async function up(flags: BuildFlags): Promise<number> {
  return await perform('up', flags, async ({ core, options }) => {
    const result = await core.up({ ...options, noCache: flags.noCache, refresh: flags.refresh });
    return { json: result, message: describeUp(result) };
  });
}
