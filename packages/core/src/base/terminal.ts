import { isatty } from 'node:tty';
import { UserError } from './errors.ts';

/** For a command inside that is to have ours. @throws UserError BAD_VALUE when our input is none */
export function requireTerminal(): void {
  if (!isatty(0)) throw new UserError('BAD_VALUE', 'a terminal inside needs one outside, and the input is none', { hint: 'leave -t away' });
}
