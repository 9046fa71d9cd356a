import { expect, test, vi } from 'vitest';
import { UserError } from '../base/errors.ts';
import { findEngine } from './find-engine.ts';

test('without root, no engine works, and it says why', () => {
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
  expect(error).toMatchObject({ code: 'ENGINE_UNAVAILABLE', message: 'No engine works here.\n  embedded  needs root, and you are not' });
});
