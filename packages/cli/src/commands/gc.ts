import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeCollection } from '../render/collection.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Gc extends DevenvCommand {
  static override summary = 'Free the space of what no environment and no image needs.';
  static override usage = 'gc [--dry-run] [--max-size SIZE] [--older-than TIME] [--volumes] [--lost]';
  static override examples: Command.Example[] = ['devenv gc --dry-run', 'devenv gc --max-size 20GB', 'devenv gc --older-than 14d'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    'dry-run': Flags.boolean({ summary: 'show what would be removed' }),
    'max-size': Flags.string({ summary: 'keep so much of it: what is cheap to have again goes first', helpValue: 'SIZE' }),
    'older-than': Flags.string({ summary: 'keep what was used in this time', helpValue: 'TIME' }),
    volumes: Flags.boolean({ summary: 'also remove volumes that no container has, also those that devenv down has kept' }),
    lost: Flags.boolean({ summary: 'also remove environments whose folder is gone, and their volumes' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Gc);
    return await perform('gc', sharedValues(flags), async ({ core, options }) => {
      const collection = await core.collect({
        ...options,
        dryRun: flags['dry-run'] ?? false,
        lost: flags['lost'] ?? false,
        volumes: flags['volumes'] ?? false,
        ...(flags['max-size'] === undefined ? {} : { maximumSize: flags['max-size'] as string }),
        ...(flags['older-than'] === undefined ? {} : { olderThan: flags['older-than'] as string }),
      });
      return { json: collection, text: describeCollection(collection) };
    });
  }
}
