import type { BuildFlags } from '../command-line.ts';
import { perform } from '../perform.ts';
import { describePlan } from '../render/plan.ts';

/** `plan`, and `up --dry-run`. */
export async function plan(verb: 'plan' | 'up', flags: BuildFlags): Promise<number> {
  return await perform(verb, flags, async ({ core, options, color }) => {
    const { noCache, refresh, frozen, offline } = flags;
    const build = { ...options, noCache, refresh, frozen, offline };
    const result = await core.plan(build);
    const runs = [result.base, ...result.steps].some((step) => step.state === 'runs');
    const reasons = runs && !flags.json ? await core.why(build) : [];
    return { json: result, text: describePlan(result, reasons, color) };
  });
}
