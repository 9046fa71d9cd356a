import { closeSync, constants, fstatSync, openSync, read } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isMissing } from '../base/files.ts';
import type { BlobOptions } from './content-registry.ts';

/** Regular files by name, wherever they lie: in a directory or inside an archive. Nothing about them is trusted. */
export interface LocalFiles {
  /** Bytes of the file, or undefined when there is none of that name. */
  size(name: string): number | undefined;
  /** The bytes of a file whose size was asked for before. */
  read(name: string, options?: BlobOptions): AsyncIterable<Buffer>;
}

/** As much as one system call brings at once: each piece costs its reader one turn of the event loop. */
const chunkSize = 1024 * 1024;

/** The files of a directory. */
export function directoryFiles(directory: string): LocalFiles {
  return {
    size(name) {
      try {
        using file = openRegular(join(directory, name));
        return file?.size;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async *read(name, options) {
      using file = openRegular(join(directory, name));
      if (file) yield* readRange(file.descriptor, { offset: 0, length: file.size }, options);
    },
  };
}

export interface OpenFile extends Disposable {
  readonly descriptor: number;
  readonly size: number;
}

/** Undefined when it is no regular file: a pipe is never waited for. */
export function openRegular(path: string): OpenFile | undefined {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const close = (): void => closeSync(descriptor);
  const stats = fstatSync(descriptor);
  if (stats.isFile()) return { descriptor, size: stats.size, [Symbol.dispose]: close };
  close();
  return undefined;
}

/** A part of an open file. Ends early when the file does. */
export async function* readRange(
  descriptor: number,
  { offset, length }: { readonly offset: number; readonly length: number },
  options: BlobOptions = {},
): AsyncGenerator<Buffer> {
  for (let at = 0; at < length;) {
    options.signal?.throwIfAborted();
    const buffer = Buffer.allocUnsafe(Math.min(chunkSize, length - at));
    const { bytesRead } = await promisify(read)(descriptor, buffer, 0, buffer.length, offset + at);
    if (bytesRead === 0) return;
    options.onBytes?.(bytesRead);
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

/** A whole small file, or undefined when there is none or it is longer than `limit`. */
export async function readSmall(files: LocalFiles, name: string, limit: number): Promise<Buffer | undefined> {
  const size = files.size(name);
  if (size === undefined || size > limit) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of files.read(name)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
