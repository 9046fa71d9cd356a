import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeInit, initText } from '../render/init.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Init extends DevenvCommand {
  static override summary = 'Look at the repository and write a devenv.json that suits it.';
  static override usage = 'init [--from IMAGE | --base debian] [--ci github|gitlab] [--force] [--dry-run]';
  static override examples: Command.Example[] = ['devenv init', 'devenv init --from ghcr.io/example/shop:prod', 'devenv init --ci github'];
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    from: Flags.string({ summary: 'stand on this image, pinned, with its settings', helpValue: 'IMAGE', exclusive: ['base'] }),
    base: Flags.string({ summary: 'debian: a bare Debian, which needs no registry', options: ['debian'] }),
    ci: Flags.string({ summary: 'also write a job that runs the tests in the environment', options: ['github', 'gitlab'] }),
    force: Flags.boolean({ summary: 'replace a devenv.json that is there' }),
    'dry-run': Flags.boolean({ summary: 'show what would be written; write nothing' }),
  };

  async run(): Promise<number> {
    const { flags } = await this.parse(Init);
    return await perform('init', sharedValues(flags), async ({ core, options, color }) => {
      const from: string | undefined = flags['from'];
      const ci: 'github' | 'gitlab' | undefined = flags['ci'];
      const result = await core.init({
        ...options,
        ...(from === undefined ? {} : { from }),
        ...(ci === undefined ? {} : { ci }),
        debian: flags['base'] === 'debian',
        force: flags['force'] ?? false,
        dryRun: flags['dry-run'] ?? false,
      });
      return { json: result, text: initText(result), message: describeInit(result, options.cwd, color) };
    });
  }
}
