import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeTransfer } from '../render/images.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Push extends DevenvCommand {
  static override summary = 'Send an image to its registry; only what that lacks.';
  static override usage = 'push IMAGE [NAME]';
  static override examples: Command.Example[] = ['devenv push ghcr.io/team/shop:1.2', 'devenv push shop ghcr.io/team/shop:1.2'];
  static override args: Interfaces.ArgInput = {
    image: Args.string({ ignoreStdin: true, description: 'an image on this machine', required: true }),
    name: Args.string({ ignoreStdin: true, description: 'where to, when it is not its own name' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Push);
    const target: string | undefined = args['name'];
    return await perform('push', sharedValues(flags), async ({ core, options }) => {
      const result = await core.push({ ...options, name: args['image'], ...(target === undefined ? {} : { target }) });
      return { json: result, message: `${result.name} · ${describeTransfer(result, 'sent')}\n${result.digest}` };
    });
  }
}
