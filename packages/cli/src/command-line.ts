import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { ProgressMode } from './render/renderer.ts';

/** What every command takes; oclif and the fast path fill it alike. */
export interface SharedFlags {
  readonly cwd: string | undefined;
  readonly config: string | undefined;
  readonly json: boolean;
  readonly progress: ProgressMode;
  readonly color: boolean;
  readonly verbose: boolean;
}

export interface BuildFlags extends SharedFlags {
  readonly noCache: boolean;
  readonly refresh: boolean;
  readonly frozen: boolean;
  readonly offline: boolean;
}

/** What `build` and `up` take beside. */
export interface CacheFlags {
  readonly cacheFrom?: readonly string[];
  readonly cacheTo?: string;
}

export interface BridgeFlags extends SharedFlags {
  readonly environmentId: string;
  readonly commit: string | undefined;
}

export interface CommandFlags extends SharedFlags {
  readonly env: readonly string[];
  readonly user: string | undefined;
  readonly workdir: string | undefined;
  /** undefined: a terminal when stdin and stdout are terminals. */
  readonly terminal: boolean | undefined;
}

export const progressModes: readonly ProgressMode[] = ['auto', 'tty', 'plain', 'json', 'quiet'];

/** `devenv -C dir up` is `devenv up -C dir`. */
export function verbFirst(argv: readonly string[]): { verb: string | undefined; rest: string[] } {
  const { own, command } = splitCommandLine(argv, sharedOptions);
  const [verb, ...rest] = command;
  return { verb, rest: [...own, ...rest] };
}

/**
 * Cuts the words after `exec` or `run` at the first that is neither a flag nor a flag's value: what stands before is ours,
 * the rest is the command's own, so `exec ls -la` needs no `--`. The first `--` ends our part too and is dropped.
 */
export function splitCommand(argv: readonly string[]): { own: string[]; command: string[] } {
  return splitCommandLine(argv, { ...buildOptions, ...commandOptions });
}

/** As `splitCommand`, with the flags that only `run` has. */
export function splitRun(argv: readonly string[]): { own: string[]; command: string[] } {
  return splitCommandLine(argv, runOptions);
}

/** The words after `exec`. @returns undefined when one is not understood, or no command is named. */
export function parseExec(argv: readonly string[]): { flags: CommandFlags; command: string[] } | undefined {
  const { own, command } = splitCommand(argv);
  const values = parse(own, commandOptions);
  const shared = values && sharedFlags(values);
  if (!shared || command.length === 0) return undefined;
  const terminal = values['no-tty'] ? false : values.tty ? true : undefined;
  return { flags: { ...shared, env: values.env ?? [], user: values.user, workdir: values.workdir, terminal }, command };
}

/** The words after `up` or `build`. @returns undefined when one is not understood. */
export function parseUp(argv: readonly string[]): (BuildFlags & CacheFlags) | undefined {
  const values = parse(argv, upOptions);
  const shared = values && sharedFlags(values);
  if (!shared) return undefined;
  const { 'cache-from': from, 'cache-to': to } = values;
  return {
    ...shared,
    noCache: values['no-cache'] ?? false,
    refresh: values.refresh ?? false,
    frozen: values.frozen ?? false,
    offline: values.offline ?? false,
    ...(from === undefined ? {} : { cacheFrom: from }),
    ...(to === undefined ? {} : { cacheTo: to }),
  };
}

/** The words after `status`. @returns undefined when one is not understood. */
export function parseStatus(argv: readonly string[]): SharedFlags | undefined {
  const values = parse(argv, sharedOptions);
  return values && sharedFlags(values);
}

/** The words after `code`, when they are those of an editor that wants its pipe. */
export function parseBridge(argv: readonly string[]): BridgeFlags | undefined {
  const values = parse(argv, { ...sharedOptions, bridge: { type: 'string' }, commit: { type: 'string' } });
  const flags = values && sharedFlags(values);
  return flags && values.bridge !== undefined ? { ...flags, environmentId: values.bridge, commit: values.commit } : undefined;
}

const sharedOptions = {
  cwd: { type: 'string', short: 'C' },
  config: { type: 'string' },
  json: { type: 'boolean' },
  progress: { type: 'string' },
  'no-color': { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  verbose: { type: 'boolean' },
} as const;

const buildOptions = {
  ...sharedOptions,
  'no-cache': { type: 'boolean' },
  refresh: { type: 'boolean' },
  frozen: { type: 'boolean' },
  offline: { type: 'boolean' },
} as const;

const upOptions = {
  ...buildOptions,
  'cache-from': { type: 'string', multiple: true },
  'cache-to': { type: 'string' },
} as const;

const commandOptions = {
  ...sharedOptions,
  env: { type: 'string', short: 'e', multiple: true },
  user: { type: 'string', short: 'u' },
  workdir: { type: 'string', short: 'w' },
  interactive: { type: 'boolean', short: 'i' },
  tty: { type: 'boolean', short: 't' },
  'no-tty': { type: 'boolean', short: 'T' },
} as const;

const runOptions = {
  ...buildOptions,
  ...commandOptions,
  image: { type: 'string' },
  volume: { type: 'string', short: 'v', multiple: true },
  publish: { type: 'string', short: 'p', multiple: true },
  name: { type: 'string' },
  entrypoint: { type: 'string' },
  keep: { type: 'boolean' },
  rm: { type: 'boolean' },
  detach: { type: 'boolean', short: 'd' },
} as const;

/** The same flags as data, to find where a command's own words begin; a test compares them with oclif's. */
export const fastPathOptions: Readonly<Record<'up' | 'exec' | 'run', ParseArgsOptionsConfig>> = {
  up: upOptions,
  exec: commandOptions,
  run: runOptions,
};

type Parsed<T extends ParseArgsOptionsConfig> = ReturnType<typeof parseArgs<{ options: T; strict: true }>>['values'];

function parse<T extends ParseArgsOptionsConfig>(argv: readonly string[], options: T): Parsed<T> | undefined {
  try {
    return parseArgs({ args: [...argv], options, strict: true, allowPositionals: false }).values;
  } catch {
    return undefined;
  }
}

function sharedFlags(values: Parsed<typeof sharedOptions>): SharedFlags | undefined {
  const progress = (values.progress ?? 'auto') as ProgressMode;
  if (!progressModes.includes(progress)) return undefined;
  return {
    cwd: values.cwd,
    config: values.config,
    json: values.json ?? false,
    progress,
    color: !values['no-color'],
    verbose: values.verbose ?? false,
  };
}

function splitCommandLine(argv: readonly string[], options: ParseArgsOptionsConfig): { own: string[]; command: string[] } {
  let index = 0;
  for (let word = argv[index]; word !== undefined; word = argv[index]) {
    if (word === '--') return { own: argv.slice(0, index), command: argv.slice(index + 1) };
    if (!word.startsWith('-') || word === '-') break;
    index += valueFollows(word, options) ? 2 : 1;
  }
  return { own: argv.slice(0, index), command: argv.slice(index) };
}

function valueFollows(word: string, options: ParseArgsOptionsConfig): boolean {
  if (word.startsWith('--')) return options[word.slice(2)]?.type === 'string';
  // In a cluster of letters the first that takes a value takes all that follow, or the next word when none do.
  const letters = [...word.slice(1)];
  const taking = letters.findIndex((letter) =>
    Object.values(options).some((option) => option.short === letter && option.type === 'string'),
  );
  return taking !== -1 && taking === letters.length - 1;
}
