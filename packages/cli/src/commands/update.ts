import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeLock } from '../render/lock.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Update extends DevenvCommand {
  static override summary = 'Move devenv-lock.json to what is current now: all of it, or these steps, packages, and "base".';
  static override usage = 'update [NAME…]';
  static override examples: Command.Example[] = ['devenv update', 'devenv update base', 'devenv update git'];
  static override flags: Interfaces.FlagInput = sharedFlags;
  static override args: Interfaces.ArgInput = {
    name: Args.string({ required: false, description: 'a step, a package (its step moves whole), or base' }),
  };
  static override strict = false;

  async run(): Promise<number> {
    const { flags, argv } = await this.parse(Update);
    return await perform('update', sharedValues(flags), async ({ core, options }) => {
      const result = await core.lock({ ...options, move: argv.map(String) });
      return { json: result, message: describeLock(result) };
    });
  }
}
