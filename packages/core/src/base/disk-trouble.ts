import { statfsSync, writeSync } from 'node:fs';
import type { Directories } from './directories.ts';
import { UserError } from './errors.ts';

/** Whether a call of the file system failed for want of space. */
export function isDiskFull(error: unknown): boolean {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return syscall !== undefined && (code === 'ENOSPC' || code === 'EDQUOT');
}

/** Whether the file system of `path` is full now: for what other programs say who do not tell why they failed. */
export function hasNoSpace(path: string): boolean {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize < 1024 * 1024; // some was freed when they failed
}

/** The error for a full disk; nothing half-made is left. */
export function diskFull(path: string, cause?: unknown): UserError {
  const hint = 'Free some space and run the same command again: nothing half-made is left. devenv doctor shows how much there is.';
  return new UserError('DISK_FULL', `There is no space left on the disk of ${path}.`, { hint, cause });
}

/** What a failed call of the file system means for the user: DISK_FULL or NOT_WRITABLE; undefined when it is something else. */
export function diskTrouble(error: unknown, directories: Directories): UserError | undefined {
  if (error instanceof UserError) return undefined;
  if (error instanceof SuppressedError) return diskTrouble(error.suppressed, directories) ?? diskTrouble(error.error, directories);
  const { code, syscall, path } = (error ?? {}) as NodeJS.ErrnoException;
  if (syscall === undefined) return undefined;
  const place = Object.values({ ...directories }).find((folder) => path === undefined || path === folder || path.startsWith(`${folder}/`));
  // An open file is no name that says anything.
  if (isDiskFull(error)) return diskFull(path === undefined || path.startsWith('/proc/self/') ? directories.data : path, error);
  // Node says ENOENT where it may not make the first of several directories.
  const isUnmakeable = code === 'ENOENT' && syscall === 'mkdir' && place !== undefined;
  if (code === 'EROFS' || isUnmakeable || (place !== undefined && path !== undefined && (code === 'EACCES' || code === 'EPERM'))) {
    return new UserError(
      'NOT_WRITABLE',
      `devenv cannot write ${path ?? directories.data}: ${code === 'EROFS' || isUnmakeable ? 'the file system is read-only' : 'permission denied'}.`,
      {
        hint: 'Make it writable, or set DEVENV_BASE_DIR to a folder that you can write.',
        cause: error,
      },
    );
  }
  return undefined;
}

/** For logs: what they would have said must not end what they tell of. */
export function writeWhileThereIsSpace(descriptor: number, bytes: Uint8Array): void {
  try {
    writeSync(descriptor, bytes);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
  }
}
