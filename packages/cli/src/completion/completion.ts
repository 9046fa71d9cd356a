/** Everything that a shell may complete after `devenv`. */
export interface Completion {
  readonly commands: readonly CompletionCommand[];
}

export interface CompletionCommand {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
  /** What its argument may be; empty: anything. */
  readonly values: readonly string[];
  /** Its words are another command's, with files as the shell completes them. */
  readonly runs: boolean;
}

export interface CompletionFlag {
  readonly name: string;
  readonly letter: string | undefined;
  readonly summary: string;
  /** undefined: no value; else what it may be. */
  readonly takes: undefined | 'file' | 'folder' | 'text' | readonly string[];
}

/** The flags that every command has: they may also stand before the command. */
export function sharedByAll({ commands }: Completion): readonly CompletionFlag[] {
  const [first, ...others] = commands;
  return (first?.flags ?? []).filter(({ name }) => others.every(({ flags }) => flags.some((flag) => flag.name === name)));
}

/** `-C`, `--cwd`. */
export function spellings({ name, letter }: CompletionFlag): readonly string[] {
  return [...(letter === undefined ? [] : [`-${letter}`]), `--${name}`];
}

/** In single quotes, as all three shells read them. */
export function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}
