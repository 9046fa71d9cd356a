import { Flags, type Command, type Interfaces } from '@oclif/core';
import { perform } from '../perform.ts';
import { describeTransfer } from '../render/images.ts';
import { describeBuild } from '../render/ready.ts';
import { UsageError } from '../usage-error.ts';
import { build, buildWishes } from '../verbs/build.ts';
import { DevenvCommand } from './command.ts';
import { buildFlags, buildValues, cacheFlags, cacheValues } from './flags.ts';

export default class Build extends DevenvCommand {
  static override summary = 'Run the steps that are not cached, and give the image a name if you like; start nothing.';
  static override usage = 'build [--no-cache] [--refresh] [--frozen] [--offline] [--cache-from REPOSITORY] [--tag NAME [--push]]';
  static override examples: Command.Example[] = [
    'devenv build',
    'devenv build --tag ghcr.io/team/shop:1.2 --push',
    'devenv build --cache-from ghcr.io/team/cache --cache-to ghcr.io/team/cache',
  ];
  static override flags: Interfaces.FlagInput = {
    ...buildFlags,
    ...cacheFlags,
    tag: Flags.string({ summary: 'give the image this name', helpValue: 'NAME' }),
    push: Flags.boolean({ summary: 'send it to its registry' }),
  };

  async run(): Promise<number> {
    const parsed = (await this.parse(Build)).flags;
    const flags = { ...buildValues(parsed), ...cacheValues(parsed) };
    const name: string | undefined = parsed['tag'];
    if (parsed['push'] && name === undefined)
      throw new UsageError('An image without a name cannot be pushed.', 'Write --tag host/name:tag --push');
    if (name === undefined) return await build(flags);
    return await perform('build', flags, async ({ core, options }) => {
      const image = await core.buildImage({ ...options, ...buildWishes(flags), name });
      const message = `${describeBuild(image)}\n${image.name} is ${image.id.slice(7, 19)}`;
      if (!parsed['push']) return { json: image, message };
      const pushed = await core.push({ ...options, name });
      return { json: { ...image, pushed }, message: `${message}\nPushed · ${describeTransfer(pushed, 'sent')}\n${pushed.digest}` };
    });
  }
}
