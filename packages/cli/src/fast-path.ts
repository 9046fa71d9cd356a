import packageFile from '../package.json' with { type: 'json' };
import { parseBridge, parseStatus, parseUp } from './command-line.ts';

/**
 * Carries out `up`, `build`, `status`, `code --bridge` and `--version` without loading oclif, which costs more than the rest of a warm command. Returns the exit
 * code, or undefined when a word is not fully understood: then oclif decides and explains.
 */
export async function fastPath(verb: string | undefined, rest: readonly string[]): Promise<number | undefined> {
  if (verb === 'up') {
    const flags = parseUp(rest);
    return flags && (await import('./verbs/up.ts')).up(flags);
  }
  if (verb === 'build') {
    const flags = parseUp(rest);
    return flags && (await import('./verbs/build.ts')).build(flags);
  }
  if (verb === 'status') {
    const flags = parseStatus(rest);
    return flags && (await import('./verbs/status.ts')).status(flags);
  }
  if (verb === 'code') {
    const flags = parseBridge(rest);
    return flags && (await import('./verbs/bridge.ts')).bridge(flags);
  }
  if (verb === undefined && rest[0] === '--version') {
    process.stdout.write(`${packageFile.version}\n`);
    return 0;
  }
  return undefined;
}
