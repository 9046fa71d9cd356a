import type { Command, Interfaces } from '@oclif/core';
import { splitCommand } from '../command-line.ts';
import { exec } from '../verbs/exec.ts';
import { DevenvCommand } from './command.ts';
import { commandFlags, commandValues } from './flags.ts';
import { needCommand } from './need-command.ts';

export default class Exec extends DevenvCommand {
  static override summary = 'Run a command in the running environment.';
  static override usage = 'exec [-e NAME=VALUE] [-u USER] [-w DIR] [-it] [--] COMMAND [ARGUMENT...]';
  static override examples: Command.Example[] = ['devenv exec npm test', 'devenv exec -u root -- apt-get update'];
  static override flags: Interfaces.FlagInput = commandFlags;

  async run(): Promise<number> {
    const { own, command } = splitCommand(this.argv);
    const { flags } = await this.parse(Exec, own);
    return await exec(commandValues(flags), needCommand('exec', command));
  }
}
