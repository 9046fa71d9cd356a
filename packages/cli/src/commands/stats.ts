import { Flags, type Command, type Interfaces } from '@oclif/core';
import type { ResourceUse } from '@devenv/core';
import { perform } from '../perform.ts';
import { describeResourceUse } from '../render/resource-use.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Stats extends DevenvCommand {
  static override summary = 'Show what running environments and containers use against their limits.';
  static override usage = 'stats [--no-stream]';
  static override examples: Command.Example[] = ['devenv stats', 'devenv stats --no-stream'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    'no-stream': Flags.boolean({ summary: 'show it once (always so when stdout is no terminal)' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Stats);
    const shared = sharedValues(flags);
    return await perform('stats', shared, async ({ core, options, color }) => {
      const once = flags['no-stream'] === true || shared.json || !process.stdout.isTTY;
      let running: readonly ResourceUse[] = [];
      if (!once) process.stdout.write('\u001b[2J');
      for await (running of core.resourceUse(options)) {
        if (once) break;
        // From the top, each line to its end, and nothing below: no flicker.
        process.stdout.write(`\u001b[H${describeResourceUse(running, color).replaceAll('\n', '\u001b[K\n')}\u001b[K\n\u001b[J`);
      }
      const json = {
        environments: running.filter(({ environmentId }) => environmentId !== undefined),
        containers: running.filter(({ environmentId }) => environmentId === undefined),
      };
      if (running.length === 0) return { json, message: 'No environment runs · next: devenv up' };
      return { json, text: describeResourceUse(running, color) };
    });
  }
}
