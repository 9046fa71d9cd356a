import { isAbsolute, relative } from 'node:path';
import type { Problem, UserError } from '@devenv/core';
import { painter, type Paint } from './color.ts';
import { printable, printableLine } from './printable.ts';

export interface ErrorContext {
  readonly log: string | undefined;
  /** The user asked to stop: what failed after that failed because of it. */
  readonly cancelled: boolean;
}

export interface ErrorOptions extends ErrorContext {
  readonly color: boolean;
  readonly verbose: boolean;
  /** Files below it are named from it. */
  readonly cwd: string;
}

/** An error in words. `userError` is undefined for a bug: then only `verbose` shows the stack. */
export function describeError(userError: UserError | undefined, error: unknown, context: ErrorOptions): string {
  const paint = painter(context.color);
  if (isCancellation(userError, context))
    return context.verbose && error instanceof Error ? `Stopped. (${printable(error.message)})` : 'Stopped.';
  if (!userError) return describeBug(error, context.verbose, paint);
  const lines = [`${paint('red', 'Error:')} ${printable(userError.message)}`];
  for (const problem of userError.problems) lines.push('', describeProblem(problem, context.cwd, paint));
  if (userError.problems.length > 0 && (userError.hint || context.log)) lines.push('');
  if (userError.place) lines.push(`At: ${printableLine(writtenPlace(userError.place, context.cwd))}`);
  if (userError.hint) lines.push(`${paint('cyan', 'Hint:')} ${printable(userError.hint)}`);
  if (context.log) lines.push(`Log: ${printableLine(context.log)}`);
  if (context.verbose && userError.cause !== undefined) lines.push(`Cause: ${printable(causes(userError.cause))}`);
  return lines.join('\n');
}

/** The object that ends stdout under `--json`. */
export function errorObject(userError: UserError | undefined, error: unknown, context: ErrorContext): object {
  const common = { schema: 1, outcome: 'error' };
  if (isCancellation(userError, context)) return { ...common, code: 'CANCELLED', message: 'Stopped by the user.', problems: [] };
  if (!userError) return { ...common, code: 'INTERNAL', message: messageOf(error), hint: reportHint, problems: [] };
  return {
    ...common,
    code: userError.code,
    message: userError.message,
    hint: userError.hint,
    problems: userError.problems,
    place: userError.place,
    log: context.log,
  };
}

const reportHint = 'This is a mistake in devenv: please report it, with the output of the same command with --verbose.';

/** Ctrl-C reaches the programs we started too: whatever breaks after it is its consequence, not news. */
function isCancellation(userError: UserError | undefined, { cancelled }: ErrorContext): boolean {
  return cancelled || userError?.code === 'CANCELLED';
}

function describeProblem(problem: Problem, cwd: string, paint: Paint): string {
  const place = writtenPlace(problem, cwd);
  const lines = [`${place ? `${paint('bold', printableLine(place))} ` : ''}${paint('dim', problem.code)} ${printable(problem.message)}`];
  if (problem.frame) lines.push(indented(printable(problem.frame)));
  if (problem.hint) lines.push(`  ${paint('cyan', 'Hint:')} ${printable(problem.hint)}`);
  return lines.join('\n');
}

/** `devenv.json:4:3`, or what of it is known. */
function writtenPlace({ file, line, column }: Pick<Problem, 'file' | 'line' | 'column'>, cwd: string): string {
  return [file === undefined ? undefined : nameFrom(cwd, file), line, column].filter((part) => part !== undefined).join(':');
}

/** A file as a person at `cwd` would name it. */
export function nameFrom(cwd: string, file: string): string {
  const name = isAbsolute(file) ? relative(cwd, file) : file;
  return name.startsWith('../') ? file : name;
}

function describeBug(error: unknown, verbose: boolean, paint: Paint): string {
  const lines = [`${paint('red', 'Sorry, devenv made a mistake:')} ${printable(messageOf(error))}`];
  if (verbose) lines.push(printable(error instanceof Error ? (error.stack ?? '') : String(error)));
  lines.push(verbose ? 'Please report it with the lines above.' : 'Please report it, with the output of the same command with --verbose.');
  return lines.join('\n');
}

function causes(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause === undefined ? cause.message : `${cause.message} ← ${causes(cause.cause)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function indented(text: string): string {
  return text.replaceAll(/^/gmu, '  ');
}
