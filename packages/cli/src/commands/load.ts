import { resolve } from 'node:path';
import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeLoaded } from '../render/images.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Load extends DevenvCommand {
  static override summary = 'Take in the images of an archive or an OCI layout.';
  static override usage = 'load [-i] [FILE|DIR]';
  static override examples: Command.Example[] = ['devenv load -i shop.tar.gz', 'docker save shop:1 | devenv load'];
  static override args: Interfaces.ArgInput = {
    file: Args.string({ ignoreStdin: true, description: 'an archive, gzip or zstd or plain, or a layout; default stdin' }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    input: Flags.string({ char: 'i', summary: 'the same, as docker load has it', helpValue: 'FILE' }),
    platform: Flags.string({ summary: 'the image of another platform', helpValue: 'OS/ARCH' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Load);
    const file: string | undefined = flags['input'] ?? args['file'];
    const fromStdin = file === undefined || file === '-';
    if (fromStdin && process.stdin.isTTY) throw new UsageError('There is no archive on stdin.', 'Name one: devenv load -i shop.tar');
    return await perform('load', sharedValues(flags), async ({ core, options }) => {
      const images = await core.load({
        ...options,
        input: fromStdin ? process.stdin : resolve(options.cwd, file),
        ...(flags['platform'] === undefined ? {} : { platform: flags['platform'] }),
      });
      return { json: { images }, message: describeLoaded(images) };
    });
  }
}
