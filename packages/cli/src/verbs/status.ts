import type { SharedFlags } from '../command-line.ts';
import { staleExitCode } from '../exit-code.ts';
import { perform } from '../perform.ts';
import { describeStatus } from '../render/status.ts';

export async function status(flags: SharedFlags): Promise<number> {
  return await perform('status', flags, async ({ core, options, color }) => {
    const found = await core.status(options);
    return { json: found, text: describeStatus(found, color, new Date()), exitCode: found.stale ? staleExitCode : 0 };
  });
}
