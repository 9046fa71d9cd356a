import { mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The file's text, or undefined when there is none. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Names in a directory, none when there is no directory. */
export function listNames(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** The file's JSON value, or undefined when the file is absent or was damaged by a crash of the host. */
export function readJson<T>(path: string): T | undefined {
  const text = readText(path);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}

/**
 * Readers see the old text or the new one, never a part of it. Makes the folders it needs (0700). `scratch`: a folder of the
 * same file system where the half-written file is; who looks for those of killed processes (NAME.PID.tmp) finds them there.
 */
export function writeFileAtomically(path: string, text: string | Uint8Array, mode = 0o600, scratch: string = dirname(path)): void {
  for (const folder of new Set([dirname(path), scratch])) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const temporary = join(scratch, `${basename(path)}.${process.pid}.tmp`);
  try {
    writeFileSync(temporary, text, { mode });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true }); // the disk may be full: the half of a file would make it no emptier
    throw error;
  }
}

export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  return code === 'ENOENT' || code === 'ENOTDIR';
}
