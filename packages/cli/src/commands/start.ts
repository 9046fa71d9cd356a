import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';
import { needWords } from './need-command.ts';

export default class Start extends DevenvCommand {
  static override summary = 'Start containers that run left.';
  static override usage = 'start NAME...';
  static override examples: Command.Example[] = ['devenv start web'];
  static override strict = false;

  async run(): Promise<number> {
    const { argv, flags } = await this.parse(Start);
    const names = needWords(argv, 'A name is missing.', 'devenv ps -a lists them.');
    return await perform('start', sharedValues(flags), async ({ core, options }) => {
      const containers = await core.startContainers({ ...options, names });
      return { json: { ...containers[0], containers }, message: containers.map(({ name }) => `${name} runs`).join('\n') };
    });
  }
}
