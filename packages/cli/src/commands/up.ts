import { Flags, type Command, type Interfaces } from '@oclif/core';
import { up, watch } from '../verbs/up.ts';
import { plan } from '../verbs/plan.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues, cacheFlags, cacheValues } from './flags.ts';

export default class Up extends DevenvCommand {
  static override summary = 'Build what is missing and start the environment.';
  static override usage = 'up [--run] [--watch] [--frozen] [--offline] [--dry-run]';
  static override examples: Command.Example[] = ['devenv up', 'devenv up --run', 'devenv up --watch', 'devenv up --dry-run'];
  static override flags: Interfaces.FlagInput = {
    ...buildFlags,
    ...cacheFlags,
    'dry-run': Flags.boolean({ summary: 'show what would happen' }),
    run: Flags.boolean({ summary: "run the image's command and wait for its health check", allowNo: true }),
    watch: Flags.boolean({ summary: 'follow the file and the inputs of its steps' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Up);
    if (flags['dry-run']) return await plan('up', buildValues(flags));
    const wishes = flags['run'] === undefined ? {} : { run: Boolean(flags['run']) };
    const values = { ...buildValues(flags), ...cacheValues(flags) };
    return flags['watch'] ? await watch(values, wishes) : await up(values, wishes);
  }
}
