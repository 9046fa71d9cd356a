import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeRemoved } from '../render/images.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';
import { needWords } from './need-command.ts';

export default class Rmi extends DevenvCommand {
  static override summary = 'Remove images by their names or ids.';
  static override usage = 'rmi [-f] IMAGE...';
  static override examples: Command.Example[] = ['devenv rmi ubuntu:22.04', 'devenv rmi 3f9c2a'];
  static override strict = false;
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    force: Flags.boolean({ char: 'f', summary: 'also when a container stands on it; by an id, all its names' }),
  };

  async run(): Promise<number> {
    const { argv, flags } = await this.parse(Rmi);
    const names = needWords(argv, 'An image is missing.', 'Name one: devenv rmi ubuntu:22.04');
    return await perform('rmi', sharedValues(flags), async ({ core, options }) => {
      const removed = await core.removeImages({ ...options, names, force: flags['force'] ?? false });
      return { json: { removed }, message: describeRemoved(removed) };
    });
  }
}
