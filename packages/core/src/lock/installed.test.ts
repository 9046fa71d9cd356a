import { expect, test } from 'vitest';
import { installedIn, newlyInstalled } from './installed.ts';

const status = `Package: git
Status: install ok installed
Architecture: amd64
Version: 1:2.39
Description: a tool
 Version: 9

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: adduser
Status: hold ok installed
Version: 3.1
Architecture: all
`;

test('what is installed is read from the database of dpkg; what was removed is not', () => {
  expect([...installedIn(status)]).toEqual([
    ['git:amd64', '1:2.39'],
    ['adduser:all', '3.1'],
  ]);
});

test('a step installed what is new, and what has another version', () => {
  const before = new Map([
    ['a:all', '1'],
    ['b:all', '1'],
    ['gone:all', '1'],
  ]);
  const after = new Map([
    ['a:all', '1'],
    ['b:all', '2'],
    ['c:all', '1'],
  ]);
  expect([...newlyInstalled(before, after)]).toEqual([
    ['b:all', '2'],
    ['c:all', '1'],
  ]);
});
