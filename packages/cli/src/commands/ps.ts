import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeContainers } from '../render/images.ts';
import { describeEnvironments } from '../render/status.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Ps extends DevenvCommand {
  static override summary = 'List your environments on this machine, and the containers that run.';
  static override usage = 'ps [-a]';
  static override examples: Command.Example[] = ['devenv ps', 'devenv ps -a --json'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    all: Flags.boolean({ char: 'a', summary: 'also containers that have ended' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Ps);
    return await perform('ps', sharedValues(flags), async ({ core, options, color }) => {
      const environments = await core.ps(options);
      const containers = await core.containers({ ...options, all: flags['all'] ?? false });
      const json = { environments, containers };
      const now = new Date();
      const tables = [
        ...(environments.length > 0 ? [describeEnvironments(environments, color, now)] : []),
        ...(containers.length > 0 ? [describeContainers(containers, color, now)] : []),
      ];
      if (tables.length === 0) return { json, message: 'There are no environments · next: devenv up' };
      return { json, text: tables.join('\n\n') };
    });
  }
}
