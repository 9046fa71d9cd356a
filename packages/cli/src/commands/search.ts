import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeFound } from '../render/images.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

export default class Search extends DevenvCommand {
  static override summary = 'Find repositories of a registry, or the tags of one.';
  static override usage = 'search [--limit N] TEXT | --tags NAME';
  static override examples: Command.Example[] = [
    'devenv search postgres',
    'devenv search registry.example:5000/team',
    'devenv search --tags node',
  ];
  static override args: Interfaces.ArgInput = {
    text: Args.string({ ignoreStdin: true, description: 'a part of the name; HOST/TEXT asks that registry', required: true }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    limit: Flags.integer({ summary: 'at most so many; default 25', helpValue: 'N', min: 1 }),
    tags: Flags.boolean({ summary: 'list the tags of this repository' }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Search);
    const text: string = args['text'];
    return await perform('search', sharedValues(flags), async ({ core, options, color }) => {
      if (flags['tags']) {
        const tags = await core.tags({ ...options, repository: text });
        return tags.length === 0 ? { json: { tags }, message: `${text} has no tags` } : { json: { tags }, text: tags.join('\n') };
      }
      const limit: number | undefined = flags['limit'];
      const repositories = await core.search({ ...options, text, ...(limit === undefined ? {} : { limit }) });
      if (repositories.length === 0) return { json: { repositories }, message: `Nothing is called ${text}` };
      return { json: { repositories }, text: describeFound(repositories, color) };
    });
  }
}
