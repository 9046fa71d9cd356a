import { UsageError } from '../usage-error.ts';

/** @throws UsageError when no command is named */
export function needCommand(verb: 'exec' | 'run', command: readonly string[]): readonly string[] {
  if (command.length === 0) throw new UsageError('A command is missing.', `Name one: devenv ${verb} npm test`);
  return command;
}
