import { Flags, type Command, type Interfaces } from '@oclif/core';
import { splitRun } from '../command-line.ts';
import { runAny } from '../verbs/exec.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues, commandFlags, commandValues } from './flags.ts';

const list = { multiple: true, multipleNonGreedy: true } as const;

export default class Run extends DevenvCommand {
  static override summary = 'Run one command in a new container of the environment, or of an image, and remove it afterwards.';
  static override usage: string[] = [
    'run [-e NAME=VALUE] [-u USER] [-w DIR] [-it] [--] COMMAND [ARGUMENT...]',
    'run [...] --image IMAGE [COMMAND...]',
  ];
  static override examples: Command.Example[] = [
    'devenv run npm test',
    'devenv run -it --image ubuntu /bin/bash',
    'devenv run -d --name web -p 8080:80 --image nginx',
  ];
  static override flags: Interfaces.FlagInput = {
    ...buildFlags,
    ...commandFlags,
    image: Flags.string({ summary: 'of this image (the first word, where no devenv.json is)', helpValue: 'NAME' }),
    volume: Flags.string({ char: 'v', summary: 'show a folder or a volume inside', helpValue: 'SOURCE:PATH[:ro]', ...list }),
    publish: Flags.string({ char: 'p', summary: 'reach a port of it from this machine', helpValue: '[ADDRESS:]PORT:PORT', ...list }),
    name: Flags.string({ summary: 'how the container is called', helpValue: 'NAME' }),
    entrypoint: Flags.string({ summary: "instead of the image's own", helpValue: 'PROGRAM' }),
    keep: Flags.boolean({ summary: 'leave the container for start, logs, ps -a and rm' }),
    rm: Flags.boolean({ summary: 'remove it afterwards: always so without --keep', exclusive: ['keep', 'detach'], hidden: true }),
    detach: Flags.boolean({ char: 'd', summary: 'leave it running' }),
  };

  async run(): Promise<number> {
    const { own, command } = splitRun(this.argv);
    const { flags } = await this.parse(Run, own);
    const image = {
      image: flags['image'],
      volumes: flags['volume'] ?? [],
      ports: flags['publish'] ?? [],
      name: flags['name'],
      entrypoint: flags['entrypoint'],
      keep: flags['keep'] ?? false,
      detach: flags['detach'] ?? false,
      interactive: flags['interactive'] ?? false,
    };
    return await runAny({ ...buildValues(flags), ...commandValues(flags), ...image }, command);
  }
}
