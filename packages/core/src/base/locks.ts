import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isMissing } from './files.ts';
import { tryLock } from './system-calls.ts';

export interface LockOptions {
  readonly mode?: 'shared' | 'exclusive';
  readonly signal?: AbortSignal | undefined;
  /** Called once when the lock is not free at once. */
  readonly onWait?: () => void;
}

/**
 * An advisory lock on a file (flock(2)): held until disposed, gone with its process however that ends. The file stays until
 * somebody who holds the lock removes it (`removeFreeLock`): who waited for it then begins anew with the next file.
 */
export async function lock(path: string, options: LockOptions = {}): Promise<Disposable> {
  for (let waited = false; ;) {
    const held = open(path);
    try {
      let interval = 5; // ms: a step that another process runs takes seconds, a state file microseconds
      for (; !tryLock(held.descriptor, options.mode ?? 'exclusive'); waited = true) {
        if (!waited) options.onWait?.();
        await delay(interval, undefined, { signal: options.signal });
        interval = Math.min(interval * 1.5, 250);
      }
      if (isThere(held)) return held;
    } catch (error) {
      held[Symbol.dispose]();
      throw error;
    }
    held[Symbol.dispose]();
  }
}

/** The lock when it is free now, else undefined. */
export function tryLockNow(path: string, mode: 'shared' | 'exclusive' = 'exclusive'): Disposable | undefined {
  for (;;) {
    const held = open(path);
    const got = tryLock(held.descriptor, mode);
    if (got && isThere(held)) return held;
    held[Symbol.dispose]();
    if (!got) return undefined;
  }
}

/** Removes a lock's file unless somebody holds it. Whether it did. */
export function removeFreeLock(path: string): boolean {
  if (!existsSync(path)) return false;
  using held = tryLockNow(path);
  if (!held) return false;
  rmSync(path, { force: true });
  return true;
}

/** The processes of this machine that hold a lock, as far as we may see them (proc_locks(5)). */
export function lockHolders(path: string): readonly number[] {
  const inode = statSync(path, { throwIfNoEntry: false })?.ino;
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, kind, pid, file] = /^\d+: +(\S+) +\S+ +\S+ +(\d+) +(\S+)/.exec(line) ?? []; // `->`: only waits
      return kind === 'FLOCK' && file?.endsWith(`:${inode}`) && pid !== '0' ? [Number(pid)] : [];
    });
}

/** A folder that is locked itself: the lock cannot outlive its owner, and no lock file is left behind. */
export interface LockedFolder extends Disposable {
  readonly path: string;
  readonly descriptor: number;
}

/** Makes a folder (0700) that no reaper takes while it is held. `choose` gives a path, and another one when that is taken. */
export function makeLockedFolder(choose: () => string): LockedFolder {
  for (;;) {
    const path = choose();
    if (existsSync(path)) continue;
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const held = lockFolderNow(path);
    if (held) return held; // else a reaper has come between
  }
}

/** The lock of such a folder when it is free now and the folder is there, else undefined. */
export function lockFolderNow(path: string): LockedFolder | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const held = { path, ...disposable(descriptor) };
  if (tryLock(descriptor, 'exclusive') && fstatSync(descriptor).nlink > 0) return held;
  held[Symbol.dispose]();
  return undefined;
}

function isThere({ descriptor }: { readonly descriptor: number }): boolean {
  return fstatSync(descriptor).nlink > 0;
}

function open(path: string): Disposable & { readonly descriptor: number } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  return disposable(openSync(path, 'a', 0o600));
}

function disposable(descriptor: number): Disposable & { readonly descriptor: number } {
  let closed = false;
  return {
    descriptor,
    [Symbol.dispose]() {
      if (!closed) closeSync(descriptor);
      closed = true;
    },
  };
}
