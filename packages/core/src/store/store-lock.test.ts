import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { holdStore, shareStore } from './store-lock.ts';

let runtime: string;
beforeEach(() => {
  runtime = mkdtempSync(join(tmpdir(), 'devenv-store-lock-'));
});
afterEach(() => rmSync(runtime, { recursive: true }));

test('who takes layers away waits for who uses them, and hears who that is', async () => {
  const user = await shareStore({ runtime });
  const told: (readonly number[])[] = [];
  const states: string[] = [];
  const holding = holdStore({ runtime }, (pids) => told.push(pids)).then((held) => {
    states.push('held');
    return held;
  });
  await delay(100);
  states.push('released');
  user[Symbol.dispose]();
  using _held = await holding;
  expect([states, told]).toEqual([['released', 'held'], [[process.pid]]]);
});

test('a user that stays keeps nobody else out for long', async () => {
  using _build = await shareStore({ runtime });
  const given = new AbortController();
  const collecting = holdStore({ runtime }, () => {}, given.signal).catch((error: Error) => error.name);
  await delay(50); // the gate is shut now
  using _other = await shareStore({ runtime });
  given.abort();
  expect(await collecting).toBe('AbortError');
});

test('users that never leave a gap keep who takes layers away from nothing', async () => {
  const done = new AbortController();
  const use = async (after: number): Promise<void> => {
    await delay(after);
    while (!done.signal.aborted) {
      using _shared = await shareStore({ runtime });
      await delay(40);
    }
  };
  const users = [use(0), use(13), use(26)];
  await delay(60);
  using _held = await holdStore({ runtime }, () => {});
  done.abort();
  _held[Symbol.dispose]();
  await Promise.all(users);
});
