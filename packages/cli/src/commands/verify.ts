import { Flags, type Command, type Interfaces } from '@oclif/core';
import { staleExitCode } from '../exit-code.ts';
import { perform } from '../perform.ts';
import { describeDiff } from '../render/diff.ts';
import { describeVerified } from '../render/verify.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Verify extends DevenvCommand {
  static override summary = 'Build again from nothing and tell whether it is the same, bit for bit (exit code 3 when not).';
  static override usage = 'verify [--environment]';
  static override examples: Command.Example[] = ['devenv verify', 'devenv verify --environment'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    environment: Flags.boolean({ summary: 'whether the running environment is still what its image says; builds nothing' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Verify);
    return await perform('verify', sharedValues(flags), async ({ core, options, color }) => {
      if (flags['environment']) {
        const result = await core.diff({ ...options, only: ['packages', 'files'] });
        return { json: result, text: describeDiff(result, { color, lines: 40 }), exitCode: result.same ? 0 : staleExitCode };
      }
      const result = await core.verify(options);
      return { json: result, text: describeVerified(result, color), exitCode: result.same ? 0 : staleExitCode };
    });
  }
}
