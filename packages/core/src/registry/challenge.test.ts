import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.ts';

test.each([
  [
    'Bearer realm="https://auth.example/token",service="a b",scope="repository:x:pull,push"',
    [{ scheme: 'bearer', parameters: { realm: 'https://auth.example/token', service: 'a b', scope: 'repository:x:pull,push' } }],
  ],
  ['Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
  ['BEARER Realm = "r" , service=plain', [{ scheme: 'bearer', parameters: { realm: 'r', service: 'plain' } }]],
  [
    'Negotiate, Basic realm="x \\"y\\""',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'x "y"' } },
    ],
  ],
  ['', []],
  ['="', []],
  [',,,', []],
])('%j is read', (header, challenges) => {
  expect(parseChallenges(header)).toEqual(challenges);
});
