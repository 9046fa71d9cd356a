import { basename } from 'node:path';
import { codeFrame, positionAt, printable } from '../base/code-frame.ts';
import { UserError, type ErrorCode, type Problem } from '../base/errors.ts';
import type { Spot } from './tree.ts';

/** Collects every mistake, so that one run reports them all. */
export class Problems {
  readonly #found: { readonly code: ErrorCode; readonly spot: Spot; readonly message: string; readonly hint: string | undefined }[] = [];
  readonly #bad = new Set<Spot>();

  /** A thing that has a problem is bad: later checks leave it alone, since they would only repeat it. */
  add(code: ErrorCode, spot: Spot, message: string, hint?: string): void {
    this.#found.push({ code, spot, message, hint });
    this.#bad.add(spot);
  }

  isBad(spot: Spot): boolean {
    return this.#bad.has(spot);
  }

  markBad(spot: Spot): void {
    this.#bad.add(spot);
  }

  /** Adds what another look at the same files found, each mistake once. */
  include(other: Problems): void {
    for (const found of other.#found) {
      const { code, spot } = found;
      const known = this.#found.some((own) => own.code === code && own.spot.source === spot.source && own.spot.offset === spot.offset);
      if (!known) this.#found.push(found);
    }
  }

  get count(): number {
    return this.#found.length;
  }

  /** In the order of the files given, then of the text. */
  list(files: readonly string[]): readonly Problem[] {
    return this.#found
      .toSorted((a, b) => files.indexOf(a.spot.source.file) - files.indexOf(b.spot.source.file) || a.spot.offset - b.spot.offset)
      .map(({ code, spot, message, hint }) => {
        const position = positionAt(spot.source.starts, spot.offset);
        const frame = codeFrame(spot.source.text, position);
        return {
          code,
          message: printable(message),
          file: spot.source.file,
          ...position,
          frame,
          ...(hint ? { hint: printable(hint) } : {}),
        };
      });
  }
}

/** What is said of the files that have these mistakes. */
export function invalid(problems: readonly Problem[], files: readonly string[]): UserError {
  const concerned = files.filter((file) => problems.some((problem) => problem.file === file)).map((file) => basename(file));
  const mistakes = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`;
  return new UserError('CONFIG_INVALID', `${concerned.join(' and ')} ${concerned.length > 1 ? 'have' : 'has'} ${mistakes}`, { problems });
}
