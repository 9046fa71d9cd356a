import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Commit extends DevenvCommand {
  static override summary = 'Make an image of the environment, or a container, as it was changed by hand.';
  static override usage = 'commit [--live] [-m TEXT] [-c LINE] [CONTAINER] NAME';
  static override examples: Command.Example[] = ['devenv commit shop:debugged', "devenv commit -m 'add gdb' -c 'ENV A=1' web shop:web"];
  static override args: Interfaces.ArgInput = {
    name: Args.string({
      ignoreStdin: true,
      description: 'how the image is called; a container that run left may stand before it',
      required: true,
    }),
    last: Args.string({ ignoreStdin: true, hidden: true }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    author: Flags.string({ char: 'a', summary: 'who made it', helpValue: 'NAME' }),
    message: Flags.string({ char: 'm', summary: 'a comment for its history', helpValue: 'TEXT' }),
    change: Flags.string({
      char: 'c',
      summary: 'a line of a Dockerfile, such as ENV A=1',
      helpValue: 'LINE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    live: Flags.boolean({ summary: 'do not stop it meanwhile' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Commit);
    const [name, container]: [string, string | undefined] =
      args['last'] === undefined ? [args['name'], undefined] : [args['last'], args['name']];
    const { author, message } = flags;
    return await perform('commit', sharedValues(flags), async ({ core, options }) => {
      const image = await core.commitImage({
        ...options,
        name,
        changes: flags['change'] ?? [],
        live: flags['live'] ?? false,
        ...(container === undefined ? {} : { container }),
        ...(author === undefined ? {} : { author }),
        ...(message === undefined ? {} : { message }),
      });
      return { json: image, message: `${image.name} is ${image.id.slice(7, 19)} · next: devenv run -it ${image.name}, devenv push` };
    });
  }
}
