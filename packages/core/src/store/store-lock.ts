import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Directories } from '../base/directories.ts';
import { lock, lockHolders, tryLockNow } from '../base/locks.ts';

type Place = Pick<Directories, 'runtime'>;

/** Held by all who look layers up and use them, before any other lock. */
export async function shareStore(place: Place, signal?: AbortSignal): Promise<Disposable> {
  using _passed = await lock(gateOf(place), { mode: 'shared', signal });
  return await lock(storeOf(place), { mode: 'shared', signal });
}

/**
 * Held by who takes layers away, when nobody uses any; not for longer than it takes to rename them. A build may use the
 * store for an hour, and short commands all the time between them: so who comes later is held up now and then for a
 * moment, to let us in between short commands, and never for as long as a build takes. `onWait` hears of the processes.
 */
export async function holdStore(place: Place, onWait: (holders: readonly number[]) => void, signal?: AbortSignal): Promise<Disposable> {
  for (let waited = false; ; waited = true) {
    const free = tryLockNow(storeOf(place));
    if (free) return free;
    if (!waited) onWait(lockHolders(storeOf(place)));
    {
      using _shut = await lock(gateOf(place), { signal });
      const found = await tryFor(place, shutMilliseconds, signal);
      if (found) return found;
    }
    const found = await tryFor(place, openMilliseconds, signal);
    if (found) return found;
  }
}

/** How long those who come later wait for us at most, and how long they do not. */
const shutMilliseconds = 500;
const openMilliseconds = 5000;

async function tryFor(place: Place, milliseconds: number, signal: AbortSignal | undefined): Promise<Disposable | undefined> {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    const held = tryLockNow(storeOf(place));
    if (held) return held;
    await delay(10, undefined, signal ? { signal } : {});
  }
  return undefined;
}

function storeOf({ runtime }: Place): string {
  return join(runtime, 'store');
}

function gateOf({ runtime }: Place): string {
  return join(runtime, 'store-gate');
}
