import type { SharedFlags } from '../command-line.ts';
import { perform } from '../perform.ts';

/** Stdout and stdin belong to the editor. */
export async function bridge(flags: SharedFlags, environmentId: string): Promise<number> {
  return await perform('bridge', flags, async ({ core, options }) => {
    await core.bridge({ ...options, environmentId });
    return {};
  });
}
