import { UserError } from '@devenv/core';
import { expect, test } from 'vitest';
import { describeError, errorObject } from './error.ts';

const plain = { cwd: '/home/me/hello', color: false, verbose: false, log: undefined, cancelled: false };

test('every problem is told with its place, code, frame and hint', () => {
  const error = new UserError('CONFIG_INVALID', 'devenv.json has 2 mistakes.', {
    hint: 'devenv.json was not used.',
    problems: [
      {
        code: 'UNKNOWN_KEY',
        message: 'There is no member "stepz".',
        file: '/home/me/hello/devenv.json',
        line: 3,
        column: 3,
        frame: '  2 | {\n> 3 |   "stepz": []\n    |   ^',
        hint: 'Did you mean "steps"?',
      },
      { code: 'MISSING_KEY', message: '"image" is missing.', file: '/home/me/devenv.json' },
    ],
  });
  expect(describeError(error, error, plain)).toMatchInlineSnapshot(`
    "Error: devenv.json has 2 mistakes.

    devenv.json:3:3 UNKNOWN_KEY There is no member "stepz".
        2 | {
      > 3 |   "stepz": []
          |   ^
      Hint: Did you mean "steps"?

    /home/me/devenv.json MISSING_KEY "image" is missing.

    Hint: devenv.json was not used."
  `);
});

test('causes are told with --verbose, in words', () => {
  const cause = new Error('request failed', { cause: new Error('ECONNREFUSED 127.0.0.1:5000') });
  const error = new UserError('REGISTRY_UNREACHABLE', 'The registry does not answer.', { cause });
  expect(describeError(error, error, plain)).toBe('Error: The registry does not answer.');
  expect(describeError(error, error, { ...plain, verbose: true })).toBe(
    'Error: The registry does not answer.\nCause: request failed ← ECONNREFUSED 127.0.0.1:5000',
  );
});

test('what a hostile file says cannot steer the terminal', () => {
  const error = new UserError('CONFIG_INVALID', 'a\u001B[2Jb', {
    problems: [{ code: 'UNKNOWN_KEY', message: '\u001B]0;x\u0007c', frame: '\u009B1A' }],
  });
  expect(describeError(error, error, plain)).toBe('Error: ab\n\nUNKNOWN_KEY c\n  ');
});

test('after a signal, what broke because of it is no error', () => {
  const aborted = new DOMException('This operation was aborted', 'AbortError');
  const cancelled = new UserError('CANCELLED', 'Stopped.');
  const failed = new UserError('STEP_FAILED', 'npm ci ended with exit code 1.');
  expect(describeError(undefined, aborted, { ...plain, cancelled: true })).toBe('Stopped.');
  expect(describeError(cancelled, cancelled, plain)).toBe('Stopped.');
  expect(describeError(failed, failed, { ...plain, cancelled: true })).toBe('Stopped.');
  expect(describeError(failed, failed, { ...plain, cancelled: true, verbose: true })).toBe('Stopped. (npm ci ended with exit code 1.)');
  expect(errorObject(undefined, aborted, { log: undefined, cancelled: true })).toMatchObject({ code: 'CANCELLED' });
});
