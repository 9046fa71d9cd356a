import { closeSync, constants, fstatSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writev } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '../base/errors.ts';
import { tryLock } from '../base/system-calls.ts';
import type { Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/document.ts';
import { readRange } from './local-files.ts';

/** Smaller ones are fetched again as fast as they would be found. */
const smallest = 1024 * 1024;
/** Written at once: a call for each piece of the network's would cost more than the writing. */
const batch = 1024 * 1024;
/** What nobody came back for. */
const longestKept = 7 * 24 * 3600 * 1000; // ms

/**
 * What arrived of blobs whose transfer did not end, so that a pull that was killed goes on where it was. Nothing in here is
 * trusted: its bytes are checked as if they came from the registry. One process writes a file, others do without.
 */
export class PartialDownloads {
  readonly #directory: string;
  readonly #running = new Map<Digest, RunningDownload>();
  #swept = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined when the blob is not worth it, another process has it, or there is no place. */
  open({ digest, size }: Descriptor): PartialDownload | undefined {
    if (size < smallest) return undefined;
    try {
      mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
      this.#sweep();
      return PartialDownload.at(this.#pathOf(digest), size);
    } catch {
      return undefined; // the disk's trouble is told by those who need it
    }
  }

  /** Lets a transfer that fills a partial download go on beside others, for who comes for it later. */
  run({ digest }: Descriptor, transfer: AsyncIterable<Buffer>, kept: PartialDownload): void {
    this.#running.set(digest, new RunningDownload(this.#pathOf(digest), transfer, kept));
  }

  /** A transfer that `run` began, once: who takes it reads it to its end. */
  take({ digest }: Descriptor): RunningDownload | undefined {
    const running = this.#running.get(digest);
    this.#running.delete(digest);
    return running;
  }

  isRunning({ digest }: Descriptor): boolean {
    return this.#running.has(digest);
  }

  /** Idempotent. */
  forget({ digest, size }: Descriptor): void {
    if (size >= smallest) rmSync(this.#pathOf(digest), { force: true });
  }

  #pathOf(digest: Digest): string {
    return join(this.#directory, `${digest.replace(':', '-')}.partial`);
  }

  #sweep(): void {
    if (this.#swept) return;
    this.#swept = true;
    for (const name of readdirSync(this.#directory)) {
      const path = join(this.#directory, name);
      if (Date.now() - (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity) > longestKept) rmSync(path, { force: true });
    }
  }
}

/** A transfer that nobody reads yet: its bytes wait on the disk, however many they are. */
export class RunningDownload {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #kept: PartialDownload;
  #end: { readonly error?: unknown } | undefined;

  constructor(path: string, transfer: AsyncIterable<Buffer>, kept: PartialDownload) {
    this.#path = path;
    this.#descriptor = openSync(path, 'r');
    this.#kept = kept;
    void this.#drain(transfer);
  }

  /** From its beginning, as it grows. @throws what the transfer failed with */
  async *read(): AsyncGenerator<Buffer> {
    let position = 0;
    try {
      for (;;) {
        const grown = this.#kept.grown();
        const end = this.#end;
        for await (const bytes of readRange(this.#descriptor, { offset: position, length: fstatSync(this.#descriptor).size - position })) {
          position += bytes.length;
          yield bytes;
        }
        if (end?.error !== undefined) throw end.error;
        if (end) return;
        await grown;
      }
    } finally {
      closeSync(this.#descriptor);
    }
  }

  async #drain(transfer: AsyncIterable<Buffer>): Promise<void> {
    try {
      for await (const _ of transfer);
      if (this.#kept.failed)
        throw new UserError('DISK_FULL', 'There is no space left to keep what is downloaded.', {
          hint: `Free some where ${this.#path} is.`,
        });
      this.#end = {};
    } catch (error) {
      this.#end = { error };
    }
    this.#kept.wake();
  }
}

export class PartialDownload implements AsyncDisposable {
  /** Bytes that are here. */
  readonly size: number;
  readonly #descriptor: number;
  #waiting: Buffer[] = [];
  #bytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #waiter: PromiseWithResolvers<void> | undefined;
  /** The disk took no more. */
  failed = false;

  static at(path: string, whole: number): PartialDownload | undefined {
    const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
    const stats = fstatSync(descriptor);
    // Removed meanwhile by who had it: writing to it would be in vain.
    if (!stats.isFile() || !tryLock(descriptor, 'exclusive') || fstatSync(descriptor).nlink === 0) {
      closeSync(descriptor);
      return undefined;
    }
    const tooLong = fstatSync(descriptor).size > whole;
    if (tooLong) ftruncateSync(descriptor, 0);
    return new PartialDownload(descriptor, fstatSync(descriptor).size);
  }

  private constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor;
    this.size = size;
  }

  read(options: { readonly signal?: AbortSignal; readonly onBytes?: (count: number) => void }): AsyncGenerator<Buffer> {
    return readRange(this.#descriptor, { offset: 0, length: this.size }, options);
  }

  /** Resolves when more is on the disk, or `wake` is called. */
  grown(): Promise<void> {
    this.#waiter ??= Promise.withResolvers();
    return this.#waiter.promise;
  }

  wake(): void {
    this.#waiter?.resolve();
    this.#waiter = undefined;
  }

  /** In order, behind what is here. Waits only when the disk is slower than the network. */
  async append(bytes: Buffer): Promise<void> {
    this.#waiting.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= batch) await this.#flush();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#flush();
    await this.#writing;
    closeSync(this.#descriptor);
  }

  async #flush(): Promise<void> {
    await this.#writing;
    const pieces = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    if (pieces.length > 0 && !this.failed) this.#writing = this.#write(pieces);
  }

  /** A disk that is full ends the keeping, not the pull. */
  async #write(pieces: Buffer[]): Promise<void> {
    try {
      const { bytesWritten } = await promisify(writev)(this.#descriptor, pieces);
      this.failed = bytesWritten < pieces.reduce((sum, piece) => sum + piece.length, 0);
    } catch {
      this.failed = true;
    }
    this.wake();
  }
}
