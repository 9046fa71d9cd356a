import type { Readable, Writable } from 'node:stream';
import type { WebSocket } from '../base/loopback-server.ts';

/** A pipe to an editor's server. */
export interface Connection {
  /** Sent before all that `output` has. */
  readonly greeting?: string;
  readonly output: Readable;
  readonly input: Writable;
  /** Ends it; what is on its way may be lost. */
  readonly close: () => void;
  /** Why it ended, when that is known. */
  readonly reason?: () => string;
}

/** Joins a page to a connection: what ends one ends the other. */
export function join(socket: WebSocket, { greeting, output, input, close, reason }: Connection): void {
  if (greeting !== undefined) socket.send(Buffer.from(greeting));
  socket.on('message', (data) => {
    if (!input.write(data)) socket.pause();
  });
  input.on('drain', () => socket.resume()).on('error', () => socket.terminate());
  output.on('data', (bytes: Buffer) => {
    const full = socket.bufferedAmount > mostBuffered;
    if (full) output.pause();
    socket.send(bytes, () => full && output.resume());
  });
  output.on('close', () => socket.close(1011, shortened(reason?.() ?? ''))).on('error', () => socket.terminate());
  socket.on('close', close).on('error', close);
}

const mostBuffered = 4 * 1024 * 1024; // bytes on their way to a page that does not keep up

/** A reason has at most 123 bytes (RFC 6455). */
export function shortened(text: string): Buffer {
  return Buffer.from(text).subarray(0, 123);
}
