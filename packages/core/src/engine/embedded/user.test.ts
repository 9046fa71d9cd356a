import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lookUpUser } from './user.ts';

const root = mkdtempSync(join(tmpdir(), 'devenv-user-'));
mkdirSync(join(root, 'etc'));
writeFileSync(
  join(root, 'etc/passwd'),
  'root:x:0:0:root:/root:/bin/sh\n# remark\ndev:x:1000:1001::/home/dev:/bin/bash\n42:x:7:7::/home/42:\nbroken\n',
);
writeFileSync(join(root, 'etc/group'), 'root:x:0:\ndev:x:1001:\nteam:x:2000:other,dev\nstaff:x:50:dev\n');
afterAll(() => rmSync(root, { recursive: true }));

test('a name has the groups that the image gives it', () => {
  expect(lookUpUser(root, 'dev')).toEqual({ uid: 1000, gid: 1001, additionalGids: [2000, 50], home: '/home/dev' });
});

test('a number is a user, listed or not; a name that is a number comes first', () => {
  expect(lookUpUser(root, '1000')).toMatchObject({ uid: 1000, home: '/home/dev' });
  expect(lookUpUser(root, '5555')).toEqual({ uid: 5555, gid: 0, additionalGids: [], home: '/' });
  expect(lookUpUser(root, '42')).toMatchObject({ uid: 7 });
});

test('a group that is named replaces the others', () => {
  expect(lookUpUser(root, 'dev:team')).toEqual({ uid: 1000, gid: 2000, additionalGids: [], home: '/home/dev' });
  expect(lookUpUser(root, '1:99')).toEqual({ uid: 1, gid: 99, additionalGids: [], home: '/' });
});

test('nothing is root, also in an image without lists', () => {
  expect(lookUpUser(root, '')).toMatchObject({ uid: 0, home: '/root' });
  for (const name of ['', 'root', '0'])
    expect(lookUpUser(join(root, 'etc'), name)).toEqual({ uid: 0, gid: 0, additionalGids: [], home: '/' });
});

test('a name that is not listed is refused', () => {
  expect(() => lookUpUser(root, 'who')).toThrow(/no user "who"/);
  expect(() => lookUpUser(root, 'dev:who')).toThrow(/no group "who"/);
});
