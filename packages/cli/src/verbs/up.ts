import type { BuildFlags, CacheFlags } from '../command-line.ts';
import { perform } from '../perform.ts';
import { describeUp } from '../render/ready.ts';
import { buildWishes } from './build.ts';

export async function up(flags: BuildFlags & CacheFlags, wishes: { readonly run?: boolean } = {}): Promise<number> {
  return await perform('up', flags, async ({ core, options }) => {
    const result = await core.up({ ...options, ...wishes, ...buildWishes(flags) });
    return { json: result, message: describeUp(result) };
  });
}

/** Ends with Ctrl-C; the environment stays. */
export async function watch(flags: BuildFlags & CacheFlags, wishes: { readonly run?: boolean }): Promise<number> {
  return await perform('up', flags, async ({ core, options }) => {
    const { describeError } = await import('../render/error.ts');
    const tell = (message: string, level: 'info' | 'warning'): void => options.report({ type: 'notice', level, message });
    await core.watch({
      ...options,
      ...wishes,
      ...buildWishes(flags),
      onResult(result) {
        if (!(result instanceof core.UserError)) tell(`${describeUp(result)}\nWatching for changes; Ctrl-C ends.`, 'info');
        else
          tell(
            describeError(result, result, { cwd: options.cwd, color: false, verbose: flags.verbose, log: result.log, cancelled: false }),
            'warning',
          );
      },
    });
    return {};
  });
}
