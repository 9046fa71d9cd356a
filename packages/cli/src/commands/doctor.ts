import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeDiagnosis } from '../render/doctor.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Doctor extends DevenvCommand {
  static override summary = 'Check what this machine can do, and say how to mend what it cannot.';
  static override usage = 'doctor';
  static override examples: Command.Example[] = ['devenv doctor'];

  async run(): Promise<number> {
    return await perform('doctor', sharedValues((await this.parse(Doctor)).flags), async ({ core, options, color }) => {
      const diagnosis = await core.doctor(options);
      return { json: diagnosis, text: describeDiagnosis(diagnosis, color), exitCode: diagnosis.works ? 0 : 1 };
    });
  }
}
