import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeImages } from '../render/images.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Images extends DevenvCommand {
  static override summary = 'List the images on this machine.';
  static override usage = 'images [-q] [FILTER]';
  static override examples: Command.Example[] = ['devenv images', "devenv images 'team/*'"];
  static override args: Interfaces.ArgInput = {
    filter: Args.string({ ignoreStdin: true, description: 'a name, or a part of one with *' }),
  };
  static override flags: Interfaces.FlagInput = { ...sharedFlags, quiet: Flags.boolean({ char: 'q', summary: 'only ids' }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Images);
    const filter: string | undefined = args['filter'];
    return await perform('images', sharedValues(flags), async ({ core, options, color }) => {
      const images = await core.images({ ...options, ...(filter === undefined ? {} : { filter }) });
      if (images.length === 0) {
        const message = filter === undefined ? 'There are no images · next: devenv pull ubuntu' : `No image is called ${filter}`;
        return { json: { images }, message };
      }
      const text = flags['quiet']
        ? [...new Set(images.map(({ id }) => id.slice(7, 19)))].join('\n')
        : describeImages(images, color, new Date());
      return { json: { images }, text };
    });
  }
}
