import { realpathSync } from 'node:fs';
import { basename } from 'node:path';
import { findProgram } from './programs.ts';

/**
 * For a runtime that reads our terminal: it ends with us, however we end. It would keep the terminal from whoever comes next,
 * and crun turns for ever once that is gone. Inside, its end is the end of the line: the kernel hangs up.
 */
export function endWithUs(command: readonly string[]): readonly string[] {
  const setpriv = findProgram('setpriv');
  // Busybox has a smaller one.
  return setpriv && basename(realpathSync(setpriv)) === 'setpriv' ? [setpriv, '--pdeathsig', 'KILL', '--', ...command] : command;
}
