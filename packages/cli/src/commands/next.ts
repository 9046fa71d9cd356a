import { perform } from '../perform.ts';
import { describeNext, describeNoConfig } from '../render/next.ts';
import { DevenvCommand } from './command.ts';
import { sharedValues } from './flags.ts';

/** `devenv` without a verb. */
export default class Next extends DevenvCommand {
  static override summary = 'Say what to do next in this folder.';

  async run(): Promise<number> {
    return await perform('next', sharedValues((await this.parse(Next)).flags), async ({ core, options }) => {
      try {
        const status = await core.status(options);
        return { json: status, text: describeNext(status) };
      } catch (error) {
        if (!(error instanceof core.UserError) || error.code !== 'CONFIG_NOT_FOUND' || options.configFile) throw error;
        return { json: { state: 'absent', config: null }, text: describeNoConfig() };
      }
    });
  }
}
