import { resolve } from 'node:path';
import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { bytes } from '../render/format.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Export extends DevenvCommand {
  static override summary = 'Write the file system of the environment, or of a container, as a tar.';
  static override usage = 'export [-o FILE] [CONTAINER]';
  static override examples: Command.Example[] = ['devenv export -o rootfs.tar', 'devenv export web | tar -t'];
  static override args: Interfaces.ArgInput = {
    container: Args.string({ ignoreStdin: true, description: 'one that run left, or the name of an environment' }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    output: Flags.string({ char: 'o', summary: 'the file; default stdout', helpValue: 'FILE' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Export);
    const name: string | undefined = args['container'];
    const output: string | undefined = flags['output'] === '-' ? undefined : flags['output'];
    if (output === undefined && process.stdout.isTTY)
      throw new UsageError('An archive is not for a terminal.', 'Write it to a file with -o FILE, or into a pipe.');
    return await perform('export', sharedValues(flags), async ({ core, options }) => {
      const result = await core.exportContainer({
        ...options,
        ...(name === undefined ? {} : { name }),
        output: output === undefined ? process.stdout : resolve(options.cwd, output),
      });
      return { message: `Exported ${bytes(result.bytes)}`, ...(output === undefined ? {} : { json: result }) };
    });
  }
}
