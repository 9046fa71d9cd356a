import { expect, test } from 'vitest';
import { UserError } from './base/errors.ts';
import { removeEach } from './remove-each.ts';

const gone: string[] = [];
const remove = async (name: string): Promise<readonly { readonly name: string }[]> => {
  if (name.startsWith('no')) throw new UserError('IMAGE_NOT_FOUND', `There is no ${name}.`, { hint: 'Look.' });
  gone.push(name);
  return [{ name }];
};

test('a failure keeps no other name from being removed, and each is told', async () => {
  await expect(removeEach(['a', 'no-b', 'c', 'no-d'], remove)).rejects.toMatchObject({
    code: 'IMAGE_NOT_FOUND',
    message: '2 of 4 could not be removed; removed: a, c.',
    problems: ['no-b', 'no-d'].map((name) => ({ code: 'IMAGE_NOT_FOUND', message: `There is no ${name}.`, hint: 'Look.' })),
  });
  expect(gone).toEqual(['a', 'c']);
});

test('one name fails as it fails; all that succeed are given back', async () => {
  await expect(removeEach(['no-a'], remove)).rejects.toMatchObject({ message: 'There is no no-a.', problems: [] });
  expect(await removeEach(['a', 'b'], remove)).toEqual([{ name: 'a' }, { name: 'b' }]);
});
