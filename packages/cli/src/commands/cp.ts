import { resolve } from 'node:path';
import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import type { CopyPlace } from '@devenv/core';
import { perform } from '../perform.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Cp extends DevenvCommand {
  static override summary = 'Copy files between the environment, or a container, and this machine.';
  static override usage: string[] = ['cp [-a] [CONTAINER]:PATH PATH|-', 'cp [-a] PATH|- [CONTAINER]:PATH'];
  static override examples: Command.Example[] = [
    'devenv cp :/var/log/app.log .',
    'devenv cp ./site web:/srv',
    'devenv cp web:/etc - | tar -t',
  ];
  static override args: Interfaces.ArgInput = {
    from: Args.string({ ignoreStdin: true, description: ':PATH is in the environment of this folder; - is a tar', required: true }),
    to: Args.string({ ignoreStdin: true, description: 'a directory that is there gets it under its own name', required: true }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    archive: Flags.boolean({ char: 'a', summary: 'keep the numbers of owners and groups' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Cp);
    const [from, to]: [string, string] = [args['from'], args['to']];
    if (to === '-' && process.stdout.isTTY) throw new UsageError('An archive is not for a terminal.', 'Write it into a file or a pipe.');
    return await perform('cp', sharedValues(flags), async ({ core, options }) => {
      await core.copyFiles({
        ...options,
        from: from === '-' ? process.stdin : placeOf(from, options.cwd),
        to: to === '-' ? process.stdout : placeOf(to, options.cwd),
        keepOwners: flags['archive'] ?? false,
      });
      return to === '-' ? {} : { json: {} };
    });
  }
}

/** As Docker: what begins with a slash or a dot is a path of this machine, whatever colons are in it. */
function placeOf(text: string, cwd: string): CopyPlace {
  const match = /^[./]/.test(text) ? undefined : /^([A-Za-z0-9_.-]*):(.*)$/s.exec(text);
  if (match) return { container: match[1]!, path: match[2] || '/' };
  const ending = text.endsWith('/') ? '/' : /(?:^|\/)\.$/.test(text) ? '/.' : ''; // they tell what is meant, and resolve() drops them
  return { container: undefined, path: resolve(cwd, text) + ending };
}
