import { stripVTControlCharacters } from 'node:util';

// C0 and C1 controls but for line feed, and the marks that reorder text (Unicode bidirectional formatting).
// eslint-disable-next-line no-control-regex
const controls = /[\u0000-\u0009\u000B-\u001F\u007F-\u009F\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** Text that came from outside, so that it cannot steer the terminal: no escape sequence, no control character but line feed. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll('\t', '    ').replaceAll(controls, '');
}

/** One line as a terminal would have left it: what a carriage return overwrote is gone. */
export function printableLine(line: string): string {
  const parts = stripVTControlCharacters(line).replaceAll('\n', ' ').split('\r');
  return printable(parts.findLast((part) => part !== '') ?? '');
}
