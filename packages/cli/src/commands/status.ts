import type { Command } from '@oclif/core';
import { status } from '../verbs/status.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Status extends DevenvCommand {
  static override summary = 'Tell whether the environment runs and matches its file (exit code 3 when it does not match).';
  static override usage = 'status';
  static override examples: Command.Example[] = ['devenv status', 'devenv status --json'];

  async run(): Promise<number> {
    return await status(sharedValues((await this.parse(Status)).flags));
  }
}
