import type { BridgeFlags } from '../command-line.ts';
import { perform } from '../perform.ts';

/** Stdout and stdin belong to the editor. */
export async function bridge({ environmentId, commit, ...flags }: BridgeFlags): Promise<number> {
  return await perform('bridge', flags, async ({ core, options }) => {
    await core.bridge({ ...options, environmentId, ...(commit === undefined ? {} : { commit }) });
    return {};
  });
}
