import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Stop extends DevenvCommand {
  static override summary = 'Stop the environment, or a container that run left; it keeps what was changed inside.';
  static override usage = 'stop [CONTAINER]';
  static override examples: Command.Example[] = ['devenv stop', 'devenv stop web'];
  static override args: Interfaces.ArgInput = { container: Args.string({ ignoreStdin: true, description: 'as devenv ps lists it' }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Stop);
    const name: string | undefined = args['container'];
    return await perform('stop', sharedValues(flags), async ({ core, options }) => {
      if (name !== undefined) return { json: await core.stopContainer({ ...options, name }), message: `Stopped ${name}` };
      const status = await core.stop(options);
      return {
        json: status,
        message:
          status.state === 'absent'
            ? 'There is no environment here · next: devenv up'
            : 'Stopped · next: devenv up, or devenv down to remove it',
      };
    });
  }
}
