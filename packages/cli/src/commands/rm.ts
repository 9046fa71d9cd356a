import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';
import { needWords } from './need-command.ts';

export default class Rm extends DevenvCommand {
  static override summary = 'Remove containers that run left.';
  static override usage = 'rm [-f] NAME...';
  static override examples: Command.Example[] = ['devenv rm web'];
  static override strict = false;
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    force: Flags.boolean({ char: 'f', summary: 'stop those that run' }),
  };

  async run(): Promise<number> {
    const { argv, flags } = await this.parse(Rm);
    const names = needWords(argv, 'A name is missing.', 'devenv ps -a lists them.');
    return await perform('rm', sharedValues(flags), async ({ core, options }) => {
      const removed = await core.removeContainers({ ...options, names, force: flags['force'] ?? false });
      return { json: { removed }, message: removed.map(({ name }) => `Removed ${name}`).join('\n') };
    });
  }
}
