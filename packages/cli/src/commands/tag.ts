import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Tag extends DevenvCommand {
  static override summary = 'Give an image on this machine another name.';
  static override usage = 'tag IMAGE NAME';
  static override examples: Command.Example[] = ['devenv tag ubuntu team/base:1', 'devenv tag 3f9c2a shop:latest'];
  static override args: Interfaces.ArgInput = {
    image: Args.string({ ignoreStdin: true, description: 'its name, or the beginning of its id', required: true }),
    name: Args.string({ ignoreStdin: true, description: 'the name that it gets', required: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Tag);
    return await perform('tag', sharedValues(flags), async ({ core, options }) => {
      const result = await core.tag({ ...options, source: args['image'], name: args['name'] });
      return { json: result, message: `${result.name} is ${result.id.slice(7, 19)}` };
    });
  }
}
