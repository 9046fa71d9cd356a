import { Flags, type Interfaces } from '@oclif/core';
import { progressModes, type BuildFlags, type CacheFlags, type CommandFlags, type SharedFlags } from '../command-line.ts';

/** Every command takes these; `devenv help` explains them once, so that a command's own help stays short. */
export const sharedFlags: Interfaces.FlagInput = {
  cwd: Flags.string({ char: 'C', summary: 'work as if started in this directory', helpValue: 'DIR', hidden: true }),
  config: Flags.string({ summary: 'use this file instead of the nearest devenv.json', helpValue: 'FILE', hidden: true }),
  json: Flags.boolean({ summary: 'end stdout with one JSON object', hidden: true }),
  progress: Flags.string({
    summary: `how to show progress: ${progressModes.join(', ')}`,
    options: [...progressModes],
    default: 'auto',
    helpValue: 'MODE',
    hidden: true,
  }),
  'no-color': Flags.boolean({ summary: 'no colours', hidden: true }),
  yes: Flags.boolean({ char: 'y', summary: 'answer every question with yes', hidden: true }),
  verbose: Flags.boolean({ summary: 'say more', hidden: true }),
};

export const buildFlags: Interfaces.FlagInput = {
  ...sharedFlags,
  'no-cache': Flags.boolean({ summary: 'run every step again' }),
  refresh: Flags.boolean({ summary: 'ask the registry again what names mean' }),
  frozen: Flags.boolean({ summary: 'refuse what devenv-lock.json does not cover (exit code 4)' }),
  offline: Flags.boolean({ summary: 'ask no network; say what is missing' }),
};

/** Of commands that build, and whose user may want to share what they do. */
export const cacheFlags: Interfaces.FlagInput = {
  'cache-from': Flags.string({
    summary: 'take steps from this repository when that is faster',
    helpValue: 'REPOSITORY',
    multiple: true,
    multipleNonGreedy: true,
  }),
  'cache-to': Flags.string({ summary: 'send steps to this repository', helpValue: 'REPOSITORY' }),
};

export const commandFlags: Interfaces.FlagInput = {
  ...sharedFlags,
  env: Flags.string({
    char: 'e',
    summary: 'set a variable, or pass your own on',
    helpValue: 'NAME[=VALUE]',
    multiple: true,
    multipleNonGreedy: true,
  }),
  user: Flags.string({ char: 'u', summary: 'run as this user', helpValue: 'NAME' }),
  workdir: Flags.string({ char: 'w', summary: 'run in this directory', helpValue: 'DIR' }),
  interactive: Flags.boolean({ char: 'i', summary: 'keep stdin open (always so)' }),
  tty: Flags.boolean({ char: 't', summary: 'give it a terminal', exclusive: ['no-tty'] }),
  'no-tty': Flags.boolean({ char: 'T', summary: 'give it no terminal' }),
};

/** oclif's values under our names. */
export function sharedValues(flags: Interfaces.OutputFlags<Interfaces.FlagInput>): SharedFlags {
  return {
    cwd: flags['cwd'],
    config: flags['config'],
    json: flags['json'] ?? false,
    progress: flags['progress'] ?? 'auto',
    color: !flags['no-color'],
    verbose: flags['verbose'] ?? false,
  };
}

export function buildValues(flags: Interfaces.OutputFlags<Interfaces.FlagInput>): BuildFlags {
  return {
    ...sharedValues(flags),
    noCache: flags['no-cache'] ?? false,
    refresh: flags['refresh'] ?? false,
    frozen: flags['frozen'] ?? false,
    offline: flags['offline'] ?? false,
  };
}

/** What core knows of them. */
export function wishesOf({
  noCache,
  refresh,
  frozen,
  offline,
}: BuildFlags): Pick<BuildFlags, 'noCache' | 'refresh' | 'frozen' | 'offline'> {
  return { noCache, refresh, frozen, offline };
}

export function cacheValues(flags: Interfaces.OutputFlags<Interfaces.FlagInput>): CacheFlags {
  const [from, to] = [flags['cache-from'] as string[] | undefined, flags['cache-to'] as string | undefined];
  return { ...(from === undefined ? {} : { cacheFrom: from }), ...(to === undefined ? {} : { cacheTo: to }) };
}

export function commandValues(flags: Interfaces.OutputFlags<Interfaces.FlagInput>): CommandFlags {
  const terminal = flags['no-tty'] ? false : flags['tty'] ? true : undefined;
  return { ...sharedValues(flags), env: flags['env'] ?? [], user: flags['user'], workdir: flags['workdir'], terminal };
}
