import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Start extends DevenvCommand {
  static override summary = 'Start a container that run left.';
  static override usage = 'start NAME';
  static override examples: Command.Example[] = ['devenv start web'];
  static override args: Interfaces.ArgInput = {
    name: Args.string({ ignoreStdin: true, description: 'as devenv ps -a lists it', required: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Start);
    return await perform('start', sharedValues(flags), async ({ core, options }) => {
      const container = await core.startContainer({ ...options, name: args['name'] });
      return { json: container, message: `${container.name} runs` };
    });
  }
}
