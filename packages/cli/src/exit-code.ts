import { constants } from 'node:os';
import type { UserError } from '@devenv/core';

export type Verb =
  | 'bridge'
  | 'build'
  | 'code'
  | 'completion'
  | 'config'
  | 'diff'
  | 'doctor'
  | 'down'
  | 'du'
  | 'exec'
  | 'gc'
  | 'init'
  | 'logs'
  | 'next'
  | 'plan'
  | 'ps'
  | 'run'
  | 'shell'
  | 'stats'
  | 'status'
  | 'rm'
  | 'start'
  | 'stop'
  | 'up'
  | 'update'
  | 'images'
  | 'load'
  | 'lock'
  | 'pull'
  | 'history'
  | 'import'
  | 'inspect'
  | 'login'
  | 'logout'
  | 'push'
  | 'search'
  | 'commit'
  | 'cp'
  | 'export'
  | 'rmi'
  | 'save'
  | 'tag'
  | 'verify'
  | 'why';

/** `devenv status` when the environment is not what its file says. */
export const staleExitCode = 3;

/**
 * Exit code of a command that failed. Under `exec` and `run` every code below 125 is the user's command's own, so our
 * failures there are 125, 126 and 127 only, as Docker's are.
 */
export function exitCodeOf(verb: Verb, error: UserError | undefined, received: NodeJS.Signals | undefined): number {
  if (received) return signalExitCode(received);
  const own = error ? error.exitCode : 1;
  if (verb !== 'exec' && verb !== 'run') return own;
  return own === 126 || own === 127 || own === 130 ? own : 125;
}

/** 128 + its number, as shells say it. */
export function signalExitCode(signal: NodeJS.Signals): number {
  return 128 + (constants.signals[signal] ?? 0);
}
