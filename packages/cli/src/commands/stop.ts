import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Stop extends DevenvCommand {
  static override summary = 'Stop the environment, or containers that run left; they keep what was changed inside.';
  static override usage = 'stop [CONTAINER...]';
  static override examples: Command.Example[] = ['devenv stop', 'devenv stop web'];
  static override strict = false;

  async run(): Promise<number> {
    const { argv, flags } = await this.parse(Stop);
    const names = argv.map(String);
    return await perform('stop', sharedValues(flags), async ({ core, options }) => {
      if (names.length > 0) {
        const containers = await core.stopContainers({ ...options, names });
        return { json: { ...containers[0], containers }, message: names.map((name) => `Stopped ${name}`).join('\n') };
      }
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
