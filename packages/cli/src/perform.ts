import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Options, UserError } from '@devenv/core';
import type { SharedFlags } from './command-line.ts';
import { exitCodeOf, signalExitCode, type Verb } from './exit-code.ts';
import { wantsColor } from './render/color.ts';
import { createProgress, type Progress } from './render/progress.ts';
import { watchSignals } from './signals.ts';

export type Core = typeof import('@devenv/core');

/** What a command leaves for its user. */
export interface Outcome {
  /** The members of the `--json` object, beside `schema` and `outcome`; undefined: stdout belongs to someone else. */
  readonly json?: object;
  /** For stdout: data. */
  readonly text?: string;
  /** For stderr: what was done and what to do next. */
  readonly message?: string;
  readonly exitCode?: number;
}

export interface Tools {
  readonly core: Core;
  readonly options: Options;
  /** Whether stdout wants colours. */
  readonly color: boolean;
}

export type Work = (tools: Tools) => Promise<Outcome>;

/** What a command touches outside: replaced in tests. */
export interface Host {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  core(): Promise<Core>;
}

export const processHost: Host = {
  env: process.env,
  cwd: process.cwd(),
  // Node makes these when they are first asked for, which a command that says nothing need not pay.
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  core: () => import('@devenv/core'),
};

/**
 * Runs one command from parsed flags to its exit code: progress and messages to stderr, data to stdout, signals to an
 * abort, errors to words. Never throws.
 */
export async function perform(verb: Verb, flags: SharedFlags, work: Work, host: Host = processHost): Promise<number> {
  const progress = createProgress({
    mode: flags.progress,
    color: flags.color,
    verbose: flags.verbose,
    interactive: interactiveVerbs.has(verb),
    stream: () => host.stderr,
    env: host.env,
  });
  const signals = watchSignals(watchingVerbs.has(verb) ? () => {} : (text) => progress.stop(text));
  try {
    const core = await host.core();
    if (!unprivilegedVerbs.has(verb) && host === processHost) await core.becomeMappedRoot({ env: host.env });
    const cwd = workingDirectory(core, flags.cwd, host.cwd);
    if (flags.config === '')
      throw new core.UserError('USAGE', '--config names no file.', { hint: 'Write --config FILE, or leave it out.' });
    const options: Options = {
      cwd,
      ...(flags.config === undefined ? {} : { configFile: flags.config }),
      env: host.env,
      report: progress.report,
      ...(await masking(host, progress)),
      signal: signals.signal,
    };
    const outcome = await work({
      core,
      options,
      get color() {
        return flags.color && wantsColor(host.stdout, host.env);
      },
    });
    await progress.close();
    if (outcome.message && progress.mode !== 'quiet') progress.message(outcome.message);
    if (flags.json && outcome.json) await writeData(host.stdout, JSON.stringify({ schema: 1, outcome: 'success', ...outcome.json }));
    else if (outcome.text) await writeData(host.stdout, outcome.text);
    return outcome.exitCode ?? 0;
  } catch (error) {
    await progress.close();
    return await failed(verb, flags, host, progress, signals.received, error);
  } finally {
    signals[Symbol.dispose]();
  }
}

/** These neither look into the store nor use the engine, and what they write in the workspace has to be the user's; so have terminals of `code`. */
const unprivilegedVerbs: ReadonlySet<Verb> = new Set(['code', 'completion', 'config', 'doctor', 'init']);

/** GitHub hides values in a job's log that it is told of; JSON progress has no place to tell. */
async function masking(host: Host, progress: Progress): Promise<Pick<Options, 'onSecret'>> {
  if (!inGitHub(host) || progress.mode === 'json') return {};
  const { maskCommand } = await import('./render/github.ts');
  const told = new Set(['']);
  return {
    onSecret(value) {
      if (!told.has(value)) host.stderr.write(`${maskCommand(value)}\n`);
      told.add(value);
    },
  };
}

function inGitHub(host: Host): boolean {
  return host.env['GITHUB_ACTIONS'] === 'true';
}

const interactiveVerbs: ReadonlySet<Verb> = new Set<Verb>(['bridge', 'code', 'exec', 'login', 'shell', 'run', 'logs', 'stats']);

/** These only show what goes on elsewhere: Ctrl-C ends the showing, and stops nothing. */
const watchingVerbs: ReadonlySet<Verb> = new Set<Verb>(['logs', 'stats']);

/** Their archive may be for stdout. */
const archiveVerbs: ReadonlySet<Verb> = new Set<Verb>(['cp', 'export', 'save']);

async function failed(
  verb: Verb,
  flags: SharedFlags,
  host: Host,
  progress: Progress,
  received: NodeJS.Signals | undefined,
  error: unknown,
): Promise<number> {
  if (isClosedPipe(error) && archiveVerbs.has(verb)) return signalExitCode('SIGPIPE'); // as it ends others, without a word
  if (received && watchingVerbs.has(verb) && !flags.json && progress.mode !== 'json') return signalExitCode(received);
  const { describeError, errorObject } = await import('./render/error.ts');
  const userError = await asUserError(host, error);
  const log = userError?.log ?? progress.failedLog();
  const cancelled = received !== undefined;
  const json = JSON.stringify(errorObject(userError, error, { log, cancelled }));
  if (progress.mode !== 'json') {
    const verbose = flags.verbose || Boolean(host.env['DEVENV_DEBUG']);
    const text = describeError(userError, error, { cwd: host.cwd, color: progress.color, verbose, log, cancelled });
    const lines = inGitHub(host) ? await githubFailure(host, text, cancelled ? undefined : userError) : [text];
    for (const line of lines) host.stderr.write(`${line}\n`);
  } else if (!flags.json) {
    host.stderr.write(`${json}\n`);
  }
  if (flags.json) await writeData(host.stdout, json).catch(toldAlready);
  return exitCodeOf(verb, userError, received);
}

async function githubFailure(host: Host, text: string, error: UserError | undefined): Promise<readonly string[]> {
  const { annotations, guard } = await import('./render/github.ts');
  return [...guard(text), ...(error ? annotations(error, host.env['GITHUB_WORKSPACE'] ?? host.cwd) : [])];
}

async function asUserError(host: Host, error: unknown): Promise<UserError | undefined> {
  // Core itself may be what failed to load.
  const core = await host.core().catch(() => undefined);
  if (!core) return undefined;
  if (error instanceof StdoutError) return asUserMistake(core, error);
  return error instanceof core.UserError ? error : undefined;
}

function workingDirectory(core: Core, flag: string | undefined, cwd: string): string {
  if (flag === undefined) return cwd;
  const path = resolve(cwd, flag);
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new core.UserError('USAGE', `There is no directory ${path}.`, { hint: 'Give -C a directory that exists.' });
  return path;
}

/**
 * Waits until all of it is written: a pipe takes 64 KiB at a time, and what it had not taken would end with this process. A reader
 * that went away (`devenv ps | head -1`) is no error of ours. @throws StdoutError
 */
async function writeData(stream: NodeJS.WriteStream, text: string): Promise<void> {
  if (!stream.listeners('error').includes(toldAlready)) stream.on('error', toldAlready);
  await new Promise<void>((done, reject) => {
    stream.write(`${text}\n`, (error) => (error && !isClosedPipe(error) ? reject(new StdoutError('stdout', { cause: error })) : done()));
  });
}

/** The call that wrote has told of it. */
function toldAlready(): void {}

function isClosedPipe(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
}

/** Data could not be written to stdout. */
class StdoutError extends Error {}

function asUserMistake(core: Core, { cause }: StdoutError): UserError {
  const { code, message } = cause as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new core.UserError('DISK_FULL', 'There is no space left for stdout.', { hint: 'Free some, or write it elsewhere.', cause });
  return new core.UserError('NOT_WRITABLE', `stdout cannot be written: ${code ?? message}.`, { cause });
}
