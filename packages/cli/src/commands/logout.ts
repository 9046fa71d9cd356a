import { Args, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

export default class Logout extends DevenvCommand {
  static override summary = 'Forget the credentials of a registry.';
  static override usage = 'logout [REGISTRY]';
  static override examples: Command.Example[] = ['devenv logout ghcr.io'];
  static override args: Interfaces.ArgInput = { registry: Args.string({ ignoreStdin: true, description: 'its host; default docker.io' }) };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Logout);
    const registry: string | undefined = args['registry'];
    return await perform('logout', sharedValues(flags), async ({ core, options }) => {
      const result = await core.logout({ ...options, ...(registry === undefined ? {} : { registry }) });
      const places = result.places.map(({ place }) => place).join(', ');
      return {
        json: result,
        message: places === '' ? `Not logged in to ${result.registry}` : `Removed the credentials of ${result.registry} from ${places}`,
      };
    });
  }
}
