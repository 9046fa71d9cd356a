import { expect, test } from 'vitest';
import { OutputMask } from './mask-output.ts';

const shown = (secrets: readonly string[], ...chunks: readonly string[]): string => {
  const mask = new OutputMask(secrets);
  return [...chunks.map((chunk) => mask.write(Buffer.from(chunk))), mask.end()].map(String).join('');
};

test('a secret is masked wherever the output is cut', () => {
  const text = 'a hunter2hunter2 b hunter2\n';
  for (let first = 0; first <= text.length; first++)
    for (let second = first; second <= text.length; second++)
      expect(shown(['hunter2'], text.slice(0, first), text.slice(first, second), text.slice(second))).toBe('a ****** b ***\n');
});

test('what only begins like a secret is shown', () => {
  expect(shown(['abcabd'], 'abcabc', 'abd', ' abca')).toBe('abc*** abca');
});

test('the lines of a value are masked one by one; short ones and an empty value mask nothing', () => {
  expect(shown(['{\nsecret line\n}\n', ''], '{ } secret line\n')).toBe('{ } ***\n');
  expect(shown([], 'as it is')).toBe('as it is');
});

test('of two secrets that begin alike, the longer one is masked whole', () => {
  expect(shown(['token', 'token-long'], 'token-long token')).toBe('*** ***');
});
