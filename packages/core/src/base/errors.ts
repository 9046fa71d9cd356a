import codes from '../../../../schemas/errors.json' with { type: 'json' };

/** The closed list of codes; schemas/errors.json says what each means and which exit code it has. */
export type ErrorCode = keyof typeof codes.codes;

/** One mistake in a file the user wrote, at its place. Lines and columns count from 1. */
export interface Problem {
  readonly code: ErrorCode;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  /** The lines around the place, with a caret under it. */
  readonly frame?: string;
  readonly hint?: string;
}

export interface UserErrorOptions {
  /** What to do now. */
  readonly hint?: string;
  readonly cause?: unknown;
  readonly problems?: readonly Problem[];
  /** Path of the whole log of what failed. */
  readonly log?: string;
  /** Where what failed is written, when the text itself is no mistake. */
  readonly place?: Required<Pick<Problem, 'file' | 'line' | 'column'>> | undefined;
}

/** A failure that the user can understand and act on. Everything else that is thrown is a bug. */
export class UserError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];
  readonly log: string | undefined;
  readonly place: UserErrorOptions['place'];

  constructor(code: ErrorCode, message: string, options: UserErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'UserError';
    this.code = code;
    this.hint = options.hint;
    this.problems = options.problems ?? [];
    this.log = options.log;
    this.place = options.place;
  }

  /** Exit code of a process that ends with this error. */
  get exitCode(): number {
    return codes.codes[this.code].exit;
  }
}

/** Marks the end of an exhaustive switch: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new Error(`unexpected value: ${JSON.stringify(value)}`);
}
