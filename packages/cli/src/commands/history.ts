import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeHistory } from '../render/images.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class History extends DevenvCommand {
  static override summary = 'Show how an image was made, the latest first.';
  static override usage = 'history IMAGE';
  static override examples: Command.Example[] = ['devenv history ubuntu'];
  static override args: Interfaces.ArgInput = {
    image: Args.string({ ignoreStdin: true, description: 'its name, or the beginning of its id', required: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(History);
    return await perform('history', sharedValues(flags), async ({ core, options, color }) => {
      const lines = await core.history({ ...options, name: args['image'] });
      return { json: { history: lines }, text: describeHistory(lines, color, new Date()) };
    });
  }
}
