import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeDown, describeDownPlan } from '../render/status.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Down extends DevenvCommand {
  static override summary = 'Stop and remove the environment; cached layers stay.';
  static override usage = 'down [--volumes] [--dry-run]';
  static override examples: Command.Example[] = ['devenv down', 'devenv down --volumes'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    volumes: Flags.boolean({ summary: 'remove its volumes too: their data is gone' }),
    'dry-run': Flags.boolean({ summary: 'show what would be removed' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Down);
    const volumes: boolean = flags['volumes'] ?? false;
    return await perform('down', sharedValues(flags), async ({ core, options }) => {
      if (flags['dry-run']) {
        const status = await core.status(options);
        return { json: { ...status, dryRun: true }, message: describeDownPlan(status, volumes) };
      }
      const status = await core.down({ ...options, volumes });
      return { json: status, message: describeDown(status, volumes) };
    });
  }
}
