import { codeFrame, positionAt, printable } from '../base/code-frame.ts';
import type { ErrorCode, Problem } from '../base/errors.ts';
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
