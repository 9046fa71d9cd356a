import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeOrigins } from '../render/origins.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Config extends DevenvCommand {
  static override summary = 'Show devenv.json and devenv.local.json as one, checked.';
  static override usage = 'config [--origins]';
  static override examples: Command.Example[] = ['devenv config', 'devenv config --origins'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    origins: Flags.boolean({ summary: 'list where each value comes from' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Config);
    return await perform('config', sharedValues(flags), async ({ core, options, color }) => {
      const description = await core.describeConfig(options);
      const text = flags['origins'] ? describeOrigins(description, color) : JSON.stringify(description.config, null, 2);
      return { json: description, text };
    });
  }
}
