import { Config, Errors } from '@oclif/core';
import { closest, distance } from 'fastest-levenshtein';
import packageFile from '../package.json' with { type: 'json' };
import { splitCommand, splitRun, type SharedFlags } from './command-line.ts';
import { commands } from './commands.ts';
import type { CommandClass } from './commands/command.ts';
import type { Verb } from './exit-code.ts';
import { perform } from './perform.ts';
import { UsageError } from './usage-error.ts';

/** Everything that the fast path leaves: the other commands, help, and what is wrong with a command line. */
export async function dispatch(verb: string | undefined, rest: readonly string[]): Promise<number> {
  if (verb === 'help') return await help(rest[0]);
  const { own } = verb === 'run' ? splitRun(rest) : splitCommand(rest);
  const words = verb === 'exec' || verb === 'run' ? own : rest;
  if (words.some((word) => word === '--help' || word === '-h')) return await help(verb);
  const load = verb === undefined ? async () => (await import('./commands/next.ts')).default : commands.get(verb);
  if (!load) return await usage(verb as Verb, rest, unknownCommand(verb));
  const command = await load();
  try {
    return await new command([...rest], await oclifConfig()).run();
  } catch (error) {
    const mistake = asUsageError(error, verb, command);
    if (!mistake) throw error;
    return await usage((verb ?? 'next') as Verb, words, mistake);
  }
}

async function help(verb: string | undefined): Promise<number> {
  const { rootHelp, commandHelp } = await import('./help.ts');
  if (verb === undefined) return await print(await rootHelp());
  const load = commands.get(verb);
  if (!load) return await usage(verb as Verb, [], unknownCommand(verb));
  return await print(commandHelp(verb, await load(), await oclifConfig()));
}

/** A reader that went away is no error. */
function print(text: string): Promise<number> {
  const codeOf = (error: NodeJS.ErrnoException | null | undefined): number => (error && error.code !== 'EPIPE' ? 1 : 0);
  return new Promise((done) => void process.stdout.write(`${text}\n`, (error) => done(codeOf(error))));
}

/** Reports through `perform`, so that `--json`, colours and exit codes are those of every other failure. */
async function usage(verb: Verb, words: readonly string[], mistake: UsageError): Promise<number> {
  const flags: SharedFlags = {
    cwd: undefined,
    config: undefined,
    json: words.includes('--json'),
    progress: 'auto',
    color: !words.includes('--no-color'),
    verbose: false,
  };
  return await perform(verb, flags, ({ core }) => {
    throw new core.UserError('USAGE', mistake.message, mistake.hint === undefined ? {} : { hint: mistake.hint });
  });
}

function unknownCommand(verb: string | undefined): UsageError {
  const near = nearest(verb ?? '', [...commands.keys()]);
  return new UsageError(`There is no command "${verb}".`, near ? `Did you mean devenv ${near}?` : 'See devenv --help.');
}

function asUsageError(error: unknown, verb: string | undefined, command: CommandClass): UsageError | undefined {
  if (error instanceof UsageError) return error;
  if (!(error instanceof Errors.CLIError)) return undefined;
  const seeHelp = `See devenv ${verb === undefined ? '' : `${verb} `}--help.`;
  // Of oclif's errors only NonExistentFlagsError has flags; a bundle may change class names.
  const unknown = (error as { flags?: unknown }).flags;
  if (Array.isArray(unknown)) {
    const flag = String(unknown[0]).split('=')[0] ?? '';
    const near = nearest(
      flag,
      Object.keys(command.flags).map((name) => `--${name}`),
    );
    return new UsageError(
      `There is no flag ${flag}${verb === undefined ? '' : ` of devenv ${verb}`}.`,
      near ? `Did you mean ${near}?` : seeHelp,
    );
  }
  const [message = ''] = error.message.split('\nSee more help');
  return new UsageError(message.endsWith('.') ? message : `${message}.`, seeHelp);
}

/** The candidate that a slip of the fingers away from `word`; undefined when none is near. */
function nearest(word: string, candidates: readonly string[]): string | undefined {
  const candidate = closest(word, candidates);
  return distance(word, candidate) <= Math.max(1, Math.floor(word.length / 3)) ? candidate : undefined;
}

/** oclif's view of this program, made in memory: nothing is searched for on the disk. */
async function oclifConfig(): Promise<Config> {
  const pjson = { name: 'devenv', version: packageFile.version, oclif: { bin: 'devenv' } };
  const root = import.meta.dirname;
  const plugin = {
    _base: '',
    alias: 'devenv',
    commandIDs: [],
    commands: [],
    hooks: {},
    isRoot: true,
    moduleType: 'module',
    name: 'devenv',
    options: { root },
    pjson,
    root,
    tag: undefined,
    topics: [],
    type: 'core',
    valid: true,
    version: packageFile.version,
  };
  // oclif asks the system for the user's shell, which fails for an id that no account has, as orchestrators give.
  process.env['SHELL'] ??= '/bin/sh';
  return await Config.load({ root, plugins: new Map([['devenv', plugin]]) } as unknown as Parameters<typeof Config.load>[0]);
}
