import type { Command, Interfaces } from '@oclif/core';
import { shell } from '../verbs/exec.ts';
import { DevenvCommand } from './command.ts';
import { commandFlags, commandValues } from './flags.ts';

export default class Shell extends DevenvCommand {
  static override summary = 'Open a shell in the running environment.';
  static override usage = 'shell [-e NAME=VALUE] [-u USER] [-w DIR]';
  static override examples: Command.Example[] = ['devenv shell', 'devenv shell -u root'];
  static override flags: Interfaces.FlagInput = commandFlags;

  async run(): Promise<number> {
    return await shell(commandValues((await this.parse(Shell)).flags));
  }
}
