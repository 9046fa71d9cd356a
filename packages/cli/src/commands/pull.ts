import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeTransfer } from '../render/images.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Pull extends DevenvCommand {
  static override summary = 'Fetch an image from a registry.';
  static override usage = 'pull [--platform OS/ARCH] NAME';
  static override examples: Command.Example[] = ['devenv pull ubuntu', 'devenv pull ghcr.io/team/shop:1.2'];
  static override args: Interfaces.ArgInput = {
    name: Args.string({ ignoreStdin: true, description: 'ubuntu, node:24, host/team/name@sha256:…', required: true }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    platform: Flags.string({ summary: 'the image of another platform', helpValue: 'OS/ARCH' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Pull);
    return await perform('pull', sharedValues(flags), async ({ core, options }) => {
      const { platform } = flags;
      const result = await core.pull({ ...options, name: args['name'], ...(platform === undefined ? {} : { platform }) });
      return { json: result, message: `${result.name} · ${describeTransfer(result, 'fetched')}` };
    });
  }
}
