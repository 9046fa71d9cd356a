import { Flags, type Command, type Interfaces } from '@oclif/core';
import { up } from '../verbs/up.ts';
import { plan } from '../verbs/plan.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues } from './flags.ts';

export default class Up extends DevenvCommand {
  static override summary = 'Build what is missing and start the environment.';
  static override usage = 'up [--no-cache] [--refresh] [--dry-run]';
  static override examples: Command.Example[] = ['devenv up', 'devenv up --dry-run'];
  static override flags: Interfaces.FlagInput = { ...buildFlags, 'dry-run': Flags.boolean({ summary: 'show what would happen' }) };

  async run(): Promise<number> {
    const { flags } = await this.parse(Up);
    return flags['dry-run'] ? await plan('up', buildValues(flags)) : await up(buildValues(flags));
  }
}
