import { Args, Flags, type Command, type Interfaces } from '@oclif/core';
import type { SectionName } from '@devenv/core';
import { staleExitCode } from '../exit-code.ts';
import { perform } from '../perform.ts';
import { describeDiff } from '../render/diff.ts';
import { DevenvCommand } from './command.ts';
import { sharedFlags, sharedValues } from './flags.ts';

/** As core has them; core itself is loaded only when the command works. */
const sections: readonly SectionName[] = [
  ...(['platform', 'libc', 'packages', 'environment', 'user', 'command', 'ports', 'limits', 'files', 'size'] as const),
];

export default class Diff extends DevenvCommand {
  static override summary = 'Tell what two environments or images differ in (exit code 3 when they do).';
  static override usage = 'diff [A] [B] [--only SECTION]... [--fail-on SECTION]...';
  static override examples: Command.Example[] = [
    'devenv diff                      what was changed by hand in the environment',
    'devenv diff prod:team/shop:1.4   is the environment the clone of production that it claims to be?',
  ];
  static override args: Interfaces.ArgInput = {
    a: Args.string({
      ignoreStdin: true,
      description: 'env (the default), image (that below it), file, lock, the name of an image, a path',
    }),
    b: Args.string({ ignoreStdin: true, description: 'as A; default image. A single word is B' }),
  };
  static override flags: Interfaces.FlagInput = {
    ...sharedFlags,
    only: Flags.string({ summary: 'compare this only', options: [...sections], multiple: true, multipleNonGreedy: true }),
    'fail-on': Flags.string({ summary: 'exit with 3 only for this', options: [...sections], multiple: true, multipleNonGreedy: true }),
  };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(Diff);
    const [a, b]: [string | undefined, string | undefined] = args['b'] === undefined ? [undefined, args['a']] : [args['a'], args['b']];
    const [only, failOn] = [flags['only'] as SectionName[] | undefined, flags['fail-on'] as SectionName[] | undefined];
    return await perform('diff', sharedValues(flags), async ({ core, options, color }) => {
      const result = await core.diff({
        ...options,
        ...(a === undefined ? {} : { a }),
        ...(b === undefined ? {} : { b }),
        ...(only === undefined ? {} : { only }),
        ...(failOn === undefined ? {} : { failOn }),
      });
      // Who asks for little wants to see more of it.
      const text = describeDiff(result, { color, lines: only === undefined ? 12 : 400 });
      return { json: result, text, exitCode: result.same ? 0 : staleExitCode };
    });
  }
}
