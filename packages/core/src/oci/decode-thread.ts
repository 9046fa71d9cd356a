// The thread of decode-aside.ts.
import { parentPort, workerData } from 'node:worker_threads';
import { UserError } from '../base/errors.ts';
import type { DecodeTask, FromDecoder, ToDecoder } from './decode-aside.ts';
import { decodedHere } from './layer-stream.ts';

/** Pieces that are on their way at most. Those of the blob are small, as they come from the network. */
const blobAhead = 16;
const tarAhead = 4;

const port = parentPort!;
const { descriptor, diffId } = workerData as DecodeTask;
const received: (Buffer | undefined)[] = [];
let underWay = 0;
/** Who waits for a message: the decoder reads ahead, so both sides may. */
let waiting: (() => void)[] = [];

port.on('message', (message: ToDecoder) => {
  if (message === 'taken') underWay--;
  else received.push(message === 'end' ? undefined : Buffer.from(message.blob.buffer, message.blob.byteOffset, message.blob.byteLength));
  const woken = waiting;
  waiting = [];
  for (const wake of woken) wake();
});

try {
  for await (const chunk of decodedHere(blob(), descriptor, diffId)) {
    while (isFarAhead()) await news();
    underWay++;
    const tar = new Uint8Array(chunk).buffer; // a copy to give away: the decoder may still write beside its bytes
    tell({ tar }, [tar]);
  }
  tell('end');
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  tell({ refused: { code: error.code, message: error.message, hint: error.hint } });
}
port.close();

async function* blob(): AsyncGenerator<Buffer> {
  for (let wanted = 0; wanted < blobAhead; wanted++) tell('more');
  for (;;) {
    while (received.length === 0) await news();
    const piece = received.shift();
    if (piece === undefined) return;
    yield piece;
    tell('more');
  }
}

function isFarAhead(): boolean {
  return underWay >= tarAhead;
}

function news(): Promise<void> {
  return new Promise((resolve) => waiting.push(resolve));
}

function tell(message: FromDecoder, given: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, given);
}
