import type { Command, Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeBuild } from '../render/ready.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues } from './flags.ts';

export default class Build extends DevenvCommand {
  static override summary = 'Run the steps that are not cached; start nothing.';
  static override usage = 'build [--no-cache] [--refresh]';
  static override examples: Command.Example[] = ['devenv build', 'devenv build --progress plain'];
  static override flags: Interfaces.FlagInput = buildFlags;

  async run(): Promise<number> {
    const flags = buildValues((await this.parse(Build)).flags);
    return await perform('build', flags, async ({ core, options }) => {
      const result = await core.build({ ...options, noCache: flags.noCache, refresh: flags.refresh });
      return { json: result, message: describeBuild(result) };
    });
  }
}
