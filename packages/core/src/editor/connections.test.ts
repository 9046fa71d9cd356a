import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import type { WebSocket } from '../base/loopback-server.ts';
import { joinTo, type Connection } from './connections.ts';

const long = `Error: It cannot run: ${'/a/long/path'.repeat(50)}\nHint: ü`;

test('what a server says arrives as bytes, and why it ended as a text, however long', async () => {
  const page = fakePage();
  const { connection, output } = fakeConnection(() => long);
  await joinTo(page.socket, () => Promise.resolve({ ...connection, greeting: '{}\n' }));
  output.end('bytes');
  await expect.poll(() => page.heard).toEqual([Buffer.from('{}\n'), Buffer.from('bytes'), long, 'closed']);
});

test('why nothing could be opened is told alike', async () => {
  const page = fakePage();
  await joinTo(page.socket, () => Promise.reject(new Error(long)));
  expect(page.heard).toEqual([long, 'closed']);
});

test('a page that has gone before its connection is there leaves none behind', async () => {
  const page = fakePage();
  const { connection, closed } = fakeConnection(() => '');
  page.socket.close();
  await joinTo(page.socket, () => Promise.resolve(connection));
  expect(closed()).toBe(true);
});

function fakePage(): { readonly heard: readonly unknown[]; readonly socket: WebSocket } {
  const heard: unknown[] = [];
  const socket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    bufferedAmount: 0,
    send: (data: unknown) => heard.push(data),
    close() {
      socket.readyState = 3;
      heard.push('closed');
    },
  });
  return { heard, socket: socket as unknown as WebSocket };
}

function fakeConnection(reason: () => string): {
  readonly connection: Connection;
  readonly output: PassThrough;
  readonly closed: () => boolean;
} {
  const [output, input] = [new PassThrough(), new PassThrough()];
  let closed = false;
  return { connection: { output, input, reason, close: () => void (closed = true) }, output, closed: () => closed };
}
