import type { Connect } from './connect.ts';

/** By way of the host that serves this page. */
export function connectSocket(address: string): Connect {
  return (authority) => {
    const socket = new WebSocket(`${address}?${new URLSearchParams({ authority }).toString()}`);
    socket.binaryType = 'arraybuffer';
    return {
      send: (bytes) => socket.readyState === WebSocket.OPEN && socket.send(new Uint8Array(bytes)),
      onData: (listener) => socket.addEventListener('message', ({ data }) => listener(new Uint8Array(data as ArrayBuffer))),
      onClose: (listener) => socket.addEventListener('close', ({ reason }) => listener(reason), { once: true }),
      close: () => socket.close(),
    };
  };
}
