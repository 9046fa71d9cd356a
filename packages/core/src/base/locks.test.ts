import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lock, lockHolders, removeFreeLock, tryLockNow } from './locks.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-locks-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a lock file that is removed while another waits for it never leads to two who hold one lock', async () => {
  const path = join(folder, 'lock');
  const first = await lock(path);
  const waiting = lock(path);
  rmSync(path); // as removeFreeLock does, which holds the lock meanwhile
  first[Symbol.dispose]();
  using _second = await waiting;
  expect(tryLockNow(path)).toBe(undefined);
});

test('the file of a lock that somebody holds stays, of a free one it goes', async () => {
  const path = join(folder, 'lock');
  const held = await lock(path, { mode: 'shared' });
  expect([removeFreeLock(path), existsSync(path)]).toEqual([false, true]);
  held[Symbol.dispose]();
  expect([removeFreeLock(path), existsSync(path), removeFreeLock(path)]).toEqual([true, false, false]);
});

test('who holds a lock can be asked', async () => {
  const path = join(folder, 'lock');
  using _held = await lock(path, { mode: 'shared' });
  expect(lockHolders(path)).toEqual([process.pid]);
  expect(lockHolders(join(folder, 'none'))).toEqual([]);
});
