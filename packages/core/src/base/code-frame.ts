/** A position in a text; lines and columns count from 1, columns in UTF-16 units as editors do. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Where each line starts, for `positionAt`. Lines end in LF, CRLF or CR. */
export function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  return starts;
}

export function positionAt(starts: readonly number[], offset: number): Position {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { line: low + 1, column: offset - starts[low]! + 1 };
}

const linesBefore = 2;
const linesAfter = 1;
const widest = 120;

/**
 * The lines around a position, with a caret under it:
 * ```
 *   3 |   "image": "scratch",
 * > 4 |   "prots": [3000]
 *     |   ^
 *   5 | }
 * ```
 */
export function codeFrame(text: string, position: Position): string {
  const lines = text.split(/\r\n|\n|\r/);
  const first = Math.max(1, position.line - linesBefore);
  const last = Math.min(lines.length, position.line + linesAfter);
  const gutter = String(last).length;
  // A long line (a minified file) is shown around the place only.
  const cut = Math.max(0, position.column - 1 - (widest - 20));
  const frame: string[] = [];
  for (let number = first; number <= last; number++) {
    const line = lines[number - 1]!;
    const here = number === position.line;
    const shown = printable(line.slice(cut, cut + widest));
    frame.push(`${here ? '>' : ' '} ${String(number).padStart(gutter)} | ${shown}`.trimEnd());
    if (here) {
      const indent = line.slice(cut, position.column - 1).replace(/[^\t]/gu, ' ');
      frame.push(`  ${' '.repeat(gutter)} | ${indent}^`);
    }
  }
  return frame.join('\n');
}

/** Text of a file made harmless for a terminal: no escape sequences, no bidirectional controls. Tabs stay. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
