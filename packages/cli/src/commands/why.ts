import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeWhy } from '../render/plan.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues, wishesOf } from './flags.ts';

export default class Why extends DevenvCommand {
  static override summary = 'Say why a step runs or is cached.';
  static override usage = 'why [STEP]';
  static override examples: Command.Example[] = ['devenv why deps', 'devenv why 3'];
  static override args: Interfaces.ArgInput = { step: Args.string({ description: 'name or number of a step; without it, every step' }) };
  static override flags: Interfaces.FlagInput = buildFlags;

  async run(): Promise<number> {
    const parsed = await this.parse(Why);
    const flags = buildValues(parsed.flags);
    const step: string | undefined = parsed.args['step'];
    return await perform('why', flags, async ({ core, options, color }) => {
      const steps = await core.why({ ...options, ...wishesOf(flags), ...(step === undefined ? {} : { step }) });
      return { json: { steps }, text: describeWhy(steps, color) };
    });
  }
}
