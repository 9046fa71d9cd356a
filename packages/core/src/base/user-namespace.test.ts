import { expect, test } from 'vitest';
import { readMapping } from './user-namespace.ts';

test.each([
  ['the machine itself', '         0          0 4294967295\n', 'machine', 4294967295],
  ['a user with subordinate ids', '0 1001 1\n1 100000 65536\n', 'range', 65537],
  ['a user with one id', '0 1001 1\n', 'single', 1],
  ['what somebody else made', '0 100000 65536\n', 'foreign', 65536],
] as const)('%s is known by its ids', (_what, text, kind, count) => {
  expect(readMapping(text, text)).toMatchObject({ kind, count });
});

test('root of a namespace is the user outside', () => {
  expect(readMapping('0 1001 1\n1 100000 65536\n', '0 50 1\n1 200000 65536\n').user).toEqual({ uid: 1001, gid: 50 });
});
