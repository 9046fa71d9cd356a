import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Stop extends DevenvCommand {
  static override summary = 'Stop the environment; it keeps what was changed inside.';
  static override usage = 'stop';
  static override examples: Command.Example[] = ['devenv stop'];

  async run(): Promise<number> {
    return await perform('stop', sharedValues((await this.parse(Stop)).flags), async ({ core, options }) => {
      const status = await core.stop(options);
      return {
        json: status,
        message:
          status.state === 'absent'
            ? 'There is no environment here · next: devenv up'
            : 'Stopped · next: devenv up, or devenv down to remove it',
      };
    });
  }
}
