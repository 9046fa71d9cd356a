import { resolve } from 'node:path';
import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Import extends DevenvCommand {
  static override summary = 'Make an image of a root file system: a tar or a directory.';
  static override usage = 'import [--change LINE] FILE|DIR|- NAME';
  static override examples: Command.Example[] = [
    'devenv import rootfs.tar.gz base:1',
    'devenv import --change \'CMD ["sh"]\' ./rootfs base:1',
  ];
  static override args: Interfaces.ArgInput = {
    source: Args.string({ ignoreStdin: true, description: 'gzip, zstd or plain; - is stdin', required: true }),
    name: Args.string({ ignoreStdin: true, description: 'how the image is called', required: true }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    change: Flags.string({
      char: 'c',
      summary: 'a line of a Dockerfile, such as ENV A=1',
      helpValue: 'LINE',
      multiple: true,
      multipleNonGreedy: true,
    }),
    message: Flags.string({ char: 'm', summary: 'a comment for its history', helpValue: 'TEXT' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Import);
    const source: string = args['source'];
    if (source === '-' && process.stdin.isTTY)
      throw new UsageError('There is no archive on stdin.', 'Name a file: devenv import rootfs.tar base:1');
    return await perform('import', sharedValues(flags), async ({ core, options }) => {
      const image = await core.importImage({
        ...options,
        input: source === '-' ? process.stdin : resolve(options.cwd, source),
        name: args['name'],
        changes: flags['change'] ?? [],
        ...(flags['message'] === undefined ? {} : { message: flags['message'] }),
      });
      return { json: image, message: `${image.name} is ${image.id.slice(7, 19)}` };
    });
  }
}
