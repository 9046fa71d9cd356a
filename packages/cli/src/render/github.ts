import type { UserError } from '@devenv/core';
import { nameFrom } from './error.ts';
import { printable } from './printable.ts';

/**
 * GitHub Actions' workflow commands that pin an error to its line in the pull request.
 * https://docs.github.com/actions/reference/workflow-commands-for-github-actions#setting-an-error-message
 */
export function annotations(error: UserError, cwd: string): string[] {
  if (error.problems.length === 0) return [`::error title=${property(error.code)}::${data(error.message)}`];
  return error.problems.map(({ code, message, file, line, column }) => {
    const place = { file: file === undefined ? undefined : nameFrom(cwd, file), line, col: column, title: code };
    const properties = Object.entries(place).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${property(String(value))}`],
    );
    return `::error ${properties.join(',')}::${data(message)}`;
  });
}

function data(text: string): string {
  return printable(text).replaceAll('%', '%25').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
