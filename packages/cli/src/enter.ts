import { parseExec, verbFirst } from './command-line.ts';
import { exec } from './verbs/exec.ts';

/**
 * `devenv exec`, built into a file of its own: most of what entering an environment takes is the time in which Node loads the code
 * for it. Returns the exit code, or undefined for another command or a word that is not fully understood.
 */
export async function enter(argv: readonly string[]): Promise<number | undefined> {
  const { verb, rest } = verbFirst(argv);
  const parsed = verb === 'exec' ? parseExec(rest) : undefined;
  return parsed && (await exec(parsed.flags, parsed.command));
}
