import type { Command, Interfaces } from '@oclif/core';
import { splitCommand } from '../command-line.ts';
import { run } from '../verbs/exec.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues, commandFlags, commandValues } from './flags.ts';
import { needCommand } from './need-command.ts';

export default class Run extends DevenvCommand {
  static override summary = 'Run one command in a new container and remove it afterwards.';
  static override usage = 'run [-e NAME=VALUE] [-u USER] [-w DIR] [-it] [--] COMMAND [ARGUMENT...]';
  static override examples: Command.Example[] = ['devenv run npm test', 'devenv run -- sh -c "make && make check"'];
  static override flags: Interfaces.FlagInput = { ...buildFlags, ...commandFlags };

  async run(): Promise<number> {
    const { own, command } = splitCommand(this.argv);
    const { flags } = await this.parse(Run, own);
    return await run({ ...buildValues(flags), ...commandValues(flags) }, needCommand('run', command));
  }
}
