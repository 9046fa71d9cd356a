/** The words of a command line are wrong. Becomes a `UserError` of code USAGE where core is loaded. */
export class UsageError extends Error {
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = 'UsageError';
    this.hint = hint;
  }
}
