import { bashScript } from './bash.ts';
import type { Completion } from './completion.ts';
import { fishScript } from './fish.ts';
import { zshScript } from './zsh.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** A script for the shell to read. It holds every command and flag as they are now, and starts nothing when it completes. */
export function completionScript(shell: Shell, completion: Completion): string {
  return { bash: bashScript, zsh: zshScript, fish: fishScript }[shell](completion);
}
