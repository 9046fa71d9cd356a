import { expect, test, vi } from 'vitest';
import { UserError } from '../base/errors.ts';
import { findEngine } from './find-engine.ts';

test('to who is not root no engine is given, and it says why', () => {
  const uid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
  const options = {} as Parameters<typeof findEngine>[0];
  const error = (() => {
    try {
      return findEngine(options, () => {
        throw new Error('the store is not to be opened');
      });
    } catch (caught) {
      return caught as UserError;
    }
  })();
  uid.mockRestore();
  expect(error).toMatchObject({
    code: 'ENGINE_UNAVAILABLE',
    message:
      'No engine works here.\n  embedded  works as root, which a normal user becomes in a namespace of their own; that did not happen',
  });
});
