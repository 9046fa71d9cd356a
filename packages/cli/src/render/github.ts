import { randomUUID } from 'node:crypto';
import type { UserError } from '@devenv/core';
import { nameFrom } from './error.ts';
import type { JobLog } from './job-log.ts';
import { printable } from './printable.ts';

// GitHub Actions' workflow commands; the runner obeys them in both streams.
// https://docs.github.com/actions/reference/workflow-commands-for-github-actions

/** Groups, with the commands switched off for as long as a step speaks: a step must not be able to give any. */
export function githubLog(write: (line: string) => void): JobLog {
  let token: string | undefined;
  const stop = (): void => {
    if (token === undefined) write(`::stop-commands::${(token = randomUUID())}`);
  };
  const resume = (): void => {
    if (token !== undefined) write(`::${token}::`);
    token = undefined;
  };
  return {
    open(title) {
      resume();
      write(`::group::${data(title)}`);
    },
    close() {
      resume();
      write('::endgroup::');
    },
    output(line) {
      stop();
      write(line);
    },
    text(line) {
      resume();
      for (const guarded of guard(line)) write(guarded);
    },
    folds: true,
  };
}

/** Text of ours that may quote what others wrote, as lines of which none is obeyed. */
export function guard(text: string): readonly string[] {
  const lines = text.split('\n');
  if (!lines.some((line) => line.includes('::') || line.includes('##['))) return lines;
  const token = randomUUID();
  return [`::stop-commands::${token}`, ...lines, `::${token}::`];
}

/** The value, and each of its lines, appear as `***` in the job's log from here on. */
export function maskCommand(value: string): string {
  return `::add-mask::${escaped(value)}`;
}

/** Pins an error to its line in the pull request. */
export function annotations(error: UserError, cwd: string): string[] {
  const { code, message, place, problems } = error;
  const pins = problems.length > 0 ? problems : [{ code, message, ...place }];
  return pins.map((pin) => {
    const properties = {
      file: pin.file === undefined ? undefined : nameFrom(cwd, pin.file),
      line: pin.line,
      col: pin.column,
      title: pin.code,
    };
    const written = Object.entries(properties).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${property(String(value))}`],
    );
    return `::error ${written.join(',')}::${data(pin.message)}`;
  });
}

function data(text: string): string {
  return escaped(printable(text));
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

function escaped(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
