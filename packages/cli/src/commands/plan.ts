import type { Command, Interfaces } from '@oclif/core';
import { plan } from '../verbs/plan.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues } from './flags.ts';

export default class Plan extends DevenvCommand {
  static override summary = 'Show which steps would run, and why; change nothing.';
  static override usage = 'plan [--no-cache] [--refresh] [--frozen] [--offline]';
  static override examples: Command.Example[] = ['devenv plan', 'devenv plan --json'];
  static override flags: Interfaces.FlagInput = buildFlags;

  async run(): Promise<number> {
    return await plan('plan', buildValues((await this.parse(Plan)).flags));
  }
}
