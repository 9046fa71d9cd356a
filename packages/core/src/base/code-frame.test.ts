import { expect, test } from 'vitest';
import { codeFrame, lineStarts, positionAt, printable } from './code-frame.ts';

test('positions count from 1, whatever ends the lines', () => {
  const starts = lineStarts('a\nbc\r\nd\re');
  expect([0, 2, 3, 6, 8].map((offset) => positionAt(starts, offset))).toEqual([
    { line: 1, column: 1 },
    { line: 2, column: 1 },
    { line: 2, column: 2 },
    { line: 3, column: 1 },
    { line: 4, column: 1 },
  ]);
});

test('a frame shows two lines before and one after, with a caret', () => {
  const text = ['{', '  "a": 1,', '  "b": 2,', '\t"c": 3,', '  "d": 4', '}'].join('\n');
  expect(codeFrame(text, { line: 4, column: 2 })).toBe(
    ['  2 |   "a": 1,', '  3 |   "b": 2,', '> 4 | \t"c": 3,', '    | \t^', '  5 |   "d": 4'].join('\n'),
  );
});

test('a frame of a very long line shows the part around the place', () => {
  const frame = codeFrame(`${'x'.repeat(5000)}HERE${'y'.repeat(5000)}`, { line: 1, column: 5001 });
  const [line, caret] = frame.split('\n') as [string, string];
  expect(line.length).toBeLessThan(140);
  expect(line.slice(caret.indexOf('^')).startsWith('HERE')).toBe(true);
});

test('what could command a terminal is not shown', () => {
  expect(printable('a\u001b[31m\u202eb\tc')).toBe('a\ufffd[31m\ufffdb\tc');
});
