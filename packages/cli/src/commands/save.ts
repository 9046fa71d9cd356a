import { resolve } from 'node:path';
import { Flags, type Command, type Interfaces } from '@oclif/core';
import type { SaveFormat } from '@devenv/core';
import { perform } from '../perform.ts';
import { bytes, plural } from '../render/format.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';
import { needWords } from './need-command.ts';

const formats: readonly SaveFormat[] = ['docker-archive', 'oci-archive', 'oci-layout'];

export default class Save extends DevenvCommand {
  static override summary = 'Write images into an archive that other tools load.';
  static override usage = 'save [-o FILE] [--format FORMAT] IMAGE...';
  static override examples: Command.Example[] = ['devenv save -o shop.tar shop:1', 'devenv save ubuntu | ssh host docker load'];
  static override strict = false;
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    output: Flags.string({ char: 'o', summary: 'the file, or for oci-layout the directory; default stdout', helpValue: 'FILE' }),
    format: Flags.string({ summary: formats.join(', '), options: [...formats], default: 'docker-archive', helpValue: 'FORMAT' }),
  };

  async run(): Promise<number> {
    const { argv, flags } = await this.parse(Save);
    const names = needWords(argv, 'An image is missing.', 'Name one: devenv save -o shop.tar shop:1');
    const output: string | undefined = flags['output'];
    if (output === undefined && process.stdout.isTTY)
      throw new UsageError('An archive is not for a terminal.', 'Write it to a file with -o FILE, or into a pipe.');
    return await perform('save', sharedValues(flags), async ({ core, options }) => {
      const result = await core.save({
        ...options,
        names,
        format: flags['format'],
        output: output === undefined || output === '-' ? process.stdout : resolve(options.cwd, output),
      });
      const message = `Saved ${plural(result.images.length, 'image')}, ${bytes(result.bytes)} of layers`;
      return { message, ...(output === undefined || output === '-' ? {} : { json: result }) };
    });
  }
}
