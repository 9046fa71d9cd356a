import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { writeLog } from '../render/log.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Logs extends DevenvCommand {
  static override summary = 'Show what the command of the environment, or of a container, has written.';
  static override usage = 'logs [-f] [-n LINES] [-t] [CONTAINER]';
  static override args: Interfaces.ArgInput = { container: Args.string({ ignoreStdin: true, description: 'one that run left, instead' }) };
  static override examples: Command.Example[] = ['devenv logs --tail 20', 'devenv logs -f'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    follow: Flags.boolean({ char: 'f', summary: 'go on until the container stops' }),
    tail: Flags.integer({ char: 'n', summary: 'only the last lines', helpValue: 'LINES', min: 0 }),
    timestamps: Flags.boolean({ char: 't', summary: 'begin each line with its time' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Logs);
    const name: string | undefined = args['container'];
    const shared = sharedValues(flags);
    const tail: number | undefined = flags['tail'];
    return await perform('logs', shared, async ({ core, options }) => {
      const follow: boolean = flags['follow'] ?? false;
      const wanted = { ...options, follow, ...(tail === undefined ? {} : { tail }) };
      const { containerId, idle, lines } = name === undefined ? await core.logs(wanted) : await core.containerLogs({ ...wanted, name });
      const form = shared.json ? 'json' : flags['timestamps'] ? 'timestamps' : 'plain';
      await writeLog(lines, form, process);
      options.signal.throwIfAborted(); // the log ended because the user wanted it: the exit code says so
      return { json: { containerId }, ...(idle ? { message: idleText } : {}) };
    });
  }
}

const idleText = 'The environment has no command of its own: it waits for devenv exec and devenv shell, and has no log.';
