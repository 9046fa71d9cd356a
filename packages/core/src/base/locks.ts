import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { tryLock } from './system-calls.ts';

export interface LockOptions {
  readonly mode?: 'shared' | 'exclusive';
  readonly signal?: AbortSignal | undefined;
  /** Called once when the lock is not free at once. */
  readonly onWait?: () => void;
}

/**
 * An advisory lock on a file (flock(2)): held until disposed, gone with its process however that ends. The file stays:
 * removing it would let two processes lock two files of one name.
 */
export async function lock(path: string, options: LockOptions = {}): Promise<Disposable> {
  const held = open(path);
  try {
    let interval = 5; // ms: a step that another process runs takes seconds, a state file microseconds
    for (let waited = false; !tryLock(held.descriptor, options.mode ?? 'exclusive'); waited = true) {
      if (!waited) options.onWait?.();
      await delay(interval, undefined, { signal: options.signal });
      interval = Math.min(interval * 1.5, 250);
    }
    return held;
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

/** The lock when it is free now, else undefined. */
export function tryLockNow(path: string, mode: 'shared' | 'exclusive' = 'exclusive'): Disposable | undefined {
  const held = open(path);
  if (tryLock(held.descriptor, mode)) return held;
  held[Symbol.dispose]();
  return undefined;
}

function open(path: string): Disposable & { readonly descriptor: number } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const descriptor = openSync(path, 'a', 0o600);
  let closed = false;
  return {
    descriptor,
    [Symbol.dispose]() {
      if (!closed) closeSync(descriptor);
      closed = true;
    },
  };
}
