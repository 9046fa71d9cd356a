import { once } from 'node:events';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { serveLoopback } from './loopback-server.ts';

test('a message that is too long closes its socket, also where nobody listens to that, and others go on', async () => {
  await using server = await serveLoopback({
    name: 'test',
    port: 0,
    files: {},
    open: [],
    answer: async () => await Promise.resolve({ body: 'here' }),
    sockets: { '/deaf': () => {} },
  });
  const url = new URL(server.url('/deaf'));
  const origin = `http://127.0.0.1:${server.port}`;
  const cookie = `test-${server.port}=${url.searchParams.get('token')}`;
  const socket = new WebSocket(`${origin}${url.pathname}`.replace('http', 'ws'), { headers: { origin, cookie } });
  socket.on('error', () => {}); // it may still be sending when the other side has closed
  await once(socket, 'open');
  socket.send(Buffer.alloc(64 * 1024 * 1024 + 1));
  await once(socket, 'close');
  const answer = await fetch(`${origin}${url.pathname.replace('/deaf', '/')}`, { headers: { cookie } });
  expect(await answer.text()).toBe('here');
});
