import { UsageError } from '../usage-error.ts';

/** @throws UsageError when no command is named */
export function needCommand(verb: 'exec', command: readonly string[]): readonly string[] {
  if (command.length === 0) throw new UsageError('A command is missing.', `Name one: devenv ${verb} npm test`);
  return command;
}

/** @throws UsageError when none is there */
export function needWords(argv: readonly unknown[], message: string, hint: string): readonly string[] {
  if (argv.length === 0) throw new UsageError(message, hint);
  return argv.map(String);
}
