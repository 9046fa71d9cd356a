import { closeSync, constants, fsyncSync, openSync, readlinkSync, realpathSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { getSystemErrorMessage } from 'node:util';
import { isDiskFull } from './base/disk-trouble.ts';
import { UserError } from './base/errors.ts';

/** Where a user wants an archive: an absolute path, or a stream. */
export type Output = string | Writable;

type Fill = (write: (bytes: Buffer) => void | Promise<void>) => Promise<void>;

/**
 * A file has its name when all of it is written, and a failure leaves what was there; links are followed. A pipe or a device, as
 * /dev/null is one, is written to and stays what it is.
 * @throws UserError BAD_VALUE, FILE_NOT_FOUND, NOT_WRITABLE, DISK_FULL; EPIPE as it is when the reader of a stream goes away
 */
export async function writeOutput(output: Output, fill: Fill, signal: AbortSignal): Promise<void> {
  if (typeof output !== 'string') return await intoStream(output, 'stdout', fill, signal);
  const stats = atOutput(output, () => statSync(output, { throwIfNoEntry: false }));
  if (stats?.isDirectory()) throw new UserError('BAD_VALUE', `${output} is a directory.`, { hint: 'Name a file in it.' });
  if (stats?.isFIFO()) return await intoPipe(output, fill, signal);
  if (stats?.isCharacterDevice()) return await intoDevice(output, fill);
  if (stats && !stats.isFile())
    throw new UserError('BAD_VALUE', `${output} is neither a file nor a pipe.`, { hint: 'Name a file, or write to stdout.' });
  await intoFile(output, fill);
}

/** What a failed call says of the user's file or directory. Everything else comes back as it is. */
export function outputTrouble(output: string, error: unknown): unknown {
  const { code, syscall, errno } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof UserError || syscall === undefined || errno === undefined || code === 'EPIPE') return error;
  if (isDiskFull(error))
    return new UserError('DISK_FULL', `There is no space left for ${output}.`, { hint: 'Free some, or write it elsewhere.', cause: error });
  if (code === 'ENOENT' && syscall !== 'mkdir')
    // which says so of a file system that is read-only
    return new UserError('FILE_NOT_FOUND', `There is no directory ${dirname(output)}.`, { hint: 'Make it first.', cause: error });
  const why = code === 'ENOENT' ? 'read-only file system' : getSystemErrorMessage(errno);
  return new UserError('NOT_WRITABLE', `${output} cannot be written: ${why}.`, {
    hint: 'Write it elsewhere.',
    cause: error,
  });
}

function atOutput<T>(output: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw outputTrouble(output, error);
  }
}

async function intoFile(output: string, fill: Fill): Promise<void> {
  const path = atOutput(output, () => linkedFile(output));
  const part = `${path}.${process.pid}.part`;
  const descriptor = atOutput(output, () => openSync(part, 'wx', 0o666)); // as the umask has it: it is the user's own file
  try {
    await fill((bytes) => atOutput(output, () => writeAll(descriptor, bytes)));
    atOutput(output, () => {
      fsyncSync(descriptor);
      renameSync(part, path);
    });
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  } finally {
    closeSync(descriptor);
  }
}

/** The file that a path means, whether it is there or a link to it only. */
function linkedFile(path: string, links = 0): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || links > 40) throw error;
    const target = readLink(path);
    return target === undefined ? path : linkedFile(resolve(realpathSync(dirname(path)), target), links + 1);
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

async function intoDevice(output: string, fill: Fill): Promise<void> {
  const descriptor = atOutput(output, () => openSync(output, constants.O_WRONLY | constants.O_NOCTTY));
  try {
    await fill((bytes) => atOutput(output, () => writeAll(descriptor, bytes)));
  } finally {
    closeSync(descriptor);
  }
}

/** Waits for who reads it, without blocking this process: Ctrl-C has to end the waiting. */
async function intoPipe(output: string, fill: Fill, signal: AbortSignal): Promise<void> {
  let descriptor = openForReader(output);
  while (descriptor === undefined) {
    await sleep(50, undefined, { signal });
    descriptor = openForReader(output);
  }
  const stream = new Socket({ fd: descriptor, readable: false, writable: true });
  try {
    await intoStream(stream, output, fill, signal);
    await new Promise<void>((done) => stream.end(done));
  } finally {
    stream.destroy();
  }
}

function openForReader(path: string): number | undefined {
  try {
    return openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENXIO') return undefined;
    throw outputTrouble(path, error);
  }
}

/** Gives bytes as fast as the stream takes them. The listener stays: the stream may tell of what the write has told once more, later. */
async function intoStream(stream: Writable, name: string, fill: Fill, signal: AbortSignal): Promise<void> {
  stream.on('error', () => {});
  await fill(async (bytes) => {
    try {
      await pushed(stream, bytes, signal);
    } catch (error) {
      throw outputTrouble(name, error);
    }
  });
}

async function pushed(stream: Writable, bytes: Buffer, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve: done, reject } = Promise.withResolvers<void>();
  const stop = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', stop);
  try {
    stream.write(bytes, (error) => (error ? reject(error) : done()));
    await promise;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
}
