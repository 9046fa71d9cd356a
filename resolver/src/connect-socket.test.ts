import { afterEach, expect, test, vi } from 'vitest';
import { connectSocket } from './connect-socket.ts';

afterEach(() => void vi.unstubAllGlobals());

test('bytes are data, and a text is the reason of the end, which has more than a close can say', () => {
  const socket = new EventTarget();
  vi.stubGlobal('WebSocket', function () {
    return socket;
  });
  const pipe = connectSocket('ws://x/connect')('devenv+0123456789abcdef');
  const heard: unknown[] = [];
  pipe.onData((bytes) => heard.push([...bytes]));
  pipe.onClose((reason) => heard.push(reason));
  socket.dispatchEvent(new MessageEvent('message', { data: new Uint8Array([1, 2]).buffer }));
  socket.dispatchEvent(new MessageEvent('message', { data: 'why' }));
  socket.dispatchEvent(Object.assign(new Event('close'), { reason: '' }));
  expect(heard).toEqual([[1, 2], 'why']);
});
