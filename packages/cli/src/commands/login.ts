import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { askLine, askSecret, secretFromStdin } from '../ask-secret.ts';
import { perform } from '../perform.ts';
import { UsageError } from '../usage-error.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Login extends DevenvCommand {
  static override summary = 'Log in to a registry.';
  static override usage = 'login [-u USER] [--password-stdin] [REGISTRY]';
  static override examples: Command.Example[] = ['devenv login ghcr.io', 'devenv login -u ci --password-stdin ghcr.io < token'];
  static override args: Interfaces.ArgInput = { registry: Args.string({ ignoreStdin: true, description: 'its host; default docker.io' }) };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    username: Flags.string({ char: 'u', summary: 'the user', helpValue: 'USER' }),
    'password-stdin': Flags.boolean({ summary: 'read the password from stdin' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Login);
    const registry: string | undefined = args['registry'];
    const isTerminal = process.stdin.isTTY === true;
    if (!flags['password-stdin'] && !isTerminal)
      throw new UsageError('There is no terminal to ask for a password.', 'Give it on stdin: --password-stdin');
    if (flags['password-stdin'] && flags['username'] === undefined)
      throw new UsageError('With --password-stdin the user has to be named.', 'Write -u USER');
    return await perform('login', sharedValues(flags), async ({ core, options }) => {
      const user: string | undefined = flags['username'] ?? (await askLine('User: ', options.signal));
      const ask = async (): Promise<string | undefined> =>
        flags['password-stdin'] ? secretFromStdin() : askSecret('Password: ', options.signal);
      const password = user === undefined ? undefined : await ask();
      if (user === undefined || password === undefined) throw new core.UserError('CANCELLED', 'No password was given.');
      const result = await core.login({ ...options, user, password, ...(registry === undefined ? {} : { registry }) });
      const place = result.kind === 'file' ? `${result.place}, which only you can read` : result.place;
      return { json: result, message: `Logged in to ${result.registry} as ${user}; kept in ${place}` };
    });
  }
}
