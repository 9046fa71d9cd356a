import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeDiagnosis } from '../render/doctor.ts';
import { describeVerdict } from '../render/verdict.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Doctor extends DevenvCommand {
  static override summary = 'Check what this machine can do, and say how to mend what it cannot.';
  static override usage: string[] = ['doctor', 'doctor --store [--deep] [--repair]'];
  static override examples: Command.Example[] = ['devenv doctor', 'devenv doctor --store'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    store: Flags.boolean({ summary: 'check every layer, reference and key that is kept here' }),
    deep: Flags.boolean({ summary: 'read the content of every layer too', dependsOn: ['store'] }),
    repair: Flags.boolean({ summary: 'drop what is damaged: devenv up makes steps again, and images are named', dependsOn: ['store'] }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Doctor);
    return await perform('doctor', sharedValues(flags), async ({ core, options, color }) => {
      if (!flags['store']) {
        // What refuses a normal user the namespace is what doctor is asked for.
        await core.becomeMappedRoot(options).catch((error: unknown) => {
          if (!(error instanceof core.UserError)) throw error;
        });
        const diagnosis = await core.doctor(options);
        return { json: diagnosis, text: describeDiagnosis(diagnosis, color), exitCode: diagnosis.works ? 0 : 1 };
      }
      await core.becomeMappedRoot(options); // whose layers they are
      const verdict = await core.verifyStore({ ...options, deep: flags['deep'] ?? false, repair: flags['repair'] ?? false });
      return { json: verdict, text: describeVerdict(verdict, color), exitCode: verdict.damages.length === 0 || verdict.repaired ? 0 : 1 };
    });
  }
}
