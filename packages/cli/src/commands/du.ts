import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeDiskUsage } from '../render/disk-usage.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Du extends DevenvCommand {
  static override summary = 'Show what environments take on the disk, and what devenv gc would free.';
  static override usage = 'du';
  static override examples: Command.Example[] = ['devenv du', 'devenv du --json'];

  async run(): Promise<number> {
    return await perform('du', sharedValues((await this.parse(Du)).flags), async ({ core, options, color }) => {
      const usage = await core.diskUsage(options);
      return { json: usage, text: describeDiskUsage(usage, color) };
    });
  }
}
