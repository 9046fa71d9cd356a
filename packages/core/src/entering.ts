/**
 * What `devenv exec` needs of the public API: the command line puts it into a file of its own, so that entering an environment
 * reads nothing else. For that its imports are static ones, whose unused parts a bundler leaves out.
 */
import { atDisk } from './at-disk.ts';
import type { CommandOptions, Exit, Options } from './contract.ts';
import * as enter from './enter.ts';
import * as tools from './open-tools.ts';

export { UserError } from './base/errors.ts';

/** As `exec` of the API. */
export async function exec(options: CommandOptions): Promise<Exit> {
  return atDisk(options, async () => enter.exec(options));
}

/** As `becomeMappedRoot` of the API. */
export async function becomeMappedRoot(options: Pick<Options, 'env'>): Promise<void> {
  if (process.getuid?.() !== 0) await atDisk(options, () => tools.becomeMappedRoot(options));
}
