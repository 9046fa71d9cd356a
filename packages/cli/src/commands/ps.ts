import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeEnvironments } from '../render/status.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Ps extends DevenvCommand {
  static override summary = 'List your environments on this machine.';
  static override usage = 'ps';
  static override examples: Command.Example[] = ['devenv ps', 'devenv ps --json'];

  async run(): Promise<number> {
    return await perform('ps', sharedValues((await this.parse(Ps)).flags), async ({ core, options, color }) => {
      const environments = await core.ps(options);
      return environments.length === 0
        ? { json: { environments }, message: 'There are no environments · next: devenv up' }
        : { json: { environments }, text: describeEnvironments(environments, color, new Date()) };
    });
  }
}
