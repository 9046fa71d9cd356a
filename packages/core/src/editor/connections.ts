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

/** Joins a page to the connection that is opened for it: what ends one ends the other. */
export async function joinTo(socket: WebSocket, open: () => Promise<Connection>): Promise<void> {
  try {
    const connection = await open();
    // A page that went meanwhile is not heard to go any more.
    if (socket.readyState === socket.OPEN) join(socket, connection);
    else connection.close();
  } catch (error) {
    end(socket, error instanceof Error ? error.message : String(error));
  }
}

function join(socket: WebSocket, { greeting, output, input, close, reason }: Connection): void {
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
  output.on('close', () => end(socket, reason?.() ?? '')).on('error', () => socket.terminate());
  socket.on('close', close).on('error', close);
}

const mostBuffered = 4 * 1024 * 1024; // bytes on their way to a page that does not keep up

/** The only text among the bytes is why they end: the reason that a socket is closed with has 123 bytes at most (RFC 6455). */
function end(socket: WebSocket, reason: string): void {
  if (reason !== '') socket.send(reason);
  socket.close(1011);
}
