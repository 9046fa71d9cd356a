import type { Command, Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeLock } from '../render/lock.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Lock extends DevenvCommand {
  static override summary = 'Write down exactly what the environment is made of, in devenv-lock.json; what is locked stays.';
  static override usage = 'lock';
  static override examples: Command.Example[] = ['devenv lock', 'devenv lock && git add devenv-lock.json'];
  static override flags: Interfaces.FlagInput = sharedFlags;

  async run(): Promise<number> {
    const flags = sharedValues((await this.parse(Lock)).flags);
    return await perform('lock', flags, async ({ core, options }) => {
      const result = await core.lock(options);
      return { json: result, message: describeLock(result) };
    });
  }
}
