import { on } from 'node:events';
import { Worker } from 'node:worker_threads';
import { UserError, type ErrorCode } from '../base/errors.ts';
import type { Digest } from './digest.ts';
import type { Descriptor } from './document.ts';

/** What the thread is told at its start. */
export interface DecodeTask {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** To the thread: a piece of the blob, its end, or that a piece of the tar was taken. */
export type ToDecoder = { readonly blob: Uint8Array } | 'end' | 'taken';

/** From the thread: that it wants a piece of the blob, a piece of the tar, its end, or why there is none. */
export type FromDecoder = 'more' | { readonly tar: ArrayBuffer } | 'end' | { readonly refused: Refusal };

/** A UserError on its way between threads. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** The same bytes and errors as `decodedHere`, checked and decompressed by a thread of its own. Both directions wait for who reads. */
export async function* decodedAside(blob: AsyncIterable<Buffer>, descriptor: Descriptor, diffId: Digest): AsyncGenerator<Buffer> {
  const task: DecodeTask = { descriptor, diffId };
  const file = import.meta.url.endsWith('.ts') ? './decode-thread.ts' : './decode-thread.js'; // bundled, it lies beside us
  const worker = new Worker(new URL(file, import.meta.url), { workerData: task });
  const messages = on(worker, 'message', { close: ['exit'] }) as AsyncIterable<[FromDecoder]>;
  const pieces = blob[Symbol.asyncIterator]();
  let failed: { readonly error: unknown } | undefined;
  const feed = async (): Promise<void> => {
    try {
      const { done, value } = await pieces.next();
      tell(worker, done ? 'end' : { blob: value });
    } catch (error) {
      failed = { error };
      await worker.terminate();
    }
  };
  try {
    let fed: Promise<void> = Promise.resolve();
    worker.on('message', (message: FromDecoder) => {
      if (message === 'more') fed = fed.then(feed);
    });
    for await (const [message] of messages) {
      if (message === 'more') continue;
      if (message === 'end') return;
      if ('refused' in message) {
        const { code, message: text, hint } = message.refused;
        throw new UserError(code, text, hint === undefined ? {} : { hint });
      }
      yield Buffer.from(message.tar);
      tell(worker, 'taken');
    }
    throw failed ? failed.error : new Error('the thread that decompresses has ended'); // it was killed, or there was no memory
  } finally {
    await worker.terminate();
    await pieces.return?.();
  }
}

function tell(worker: Worker, message: ToDecoder): void {
  worker.postMessage(message, []);
}
