import type { Command } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';
import { needWords } from './need-command.ts';

export default class Inspect extends DevenvCommand {
  static override summary = 'Show all that is known of images, containers or environments, as JSON.';
  static override usage = 'inspect NAME...';
  static override examples: Command.Example[] = ['devenv inspect ubuntu', 'devenv inspect web | jq .[0].state'];
  static override strict = false;

  async run(): Promise<number> {
    const { argv, flags } = await this.parse(Inspect);
    const names = needWords(argv, 'A name is missing.', 'devenv images and devenv ps -a list them.');
    return await perform('inspect', sharedValues(flags), async ({ core, options }) => {
      const found = await core.inspect({ ...options, names });
      return { json: { found }, text: JSON.stringify(found, undefined, 2) };
    });
  }
}
