import { Command, type Config, type Interfaces } from '@oclif/core';
import { sharedFlags } from './flags.ts';

// oclif listens here from its import on, and throws what the write that failed has told already.
process.stdout.removeAllListeners('error').on('error', () => {});

/** A command of the table: parses its words, does its work, returns the exit code. Throws only what is wrong with the words. */
export abstract class DevenvCommand extends Command {
  static override flags: Interfaces.FlagInput = sharedFlags;
  abstract override run(): Promise<number>;
}

export interface CommandClass {
  new (argv: string[], config: Config): DevenvCommand;
  summary?: string | undefined;
  usage?: string | string[] | undefined;
  examples?: Command.Example[] | undefined;
  args: Interfaces.ArgInput;
  flags: Interfaces.FlagInput;
}
