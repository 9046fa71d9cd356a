import type { Connect } from './connect.ts';

/** By way of the host that serves this page. What it carries are bytes; a text says why it ends. */
export function connectSocket(address: string): Connect {
  return (authority) => {
    const socket = new WebSocket(`${address}?${new URLSearchParams({ authority }).toString()}`);
    socket.binaryType = 'arraybuffer';
    let said = '';
    const onMessage = (listener: (data: unknown) => void): void =>
      socket.addEventListener('message', ({ data }: { readonly data: unknown }) => listener(data));
    onMessage((data) => typeof data === 'string' && (said = data));
    return {
      send: (bytes) => socket.readyState === WebSocket.OPEN && socket.send(new Uint8Array(bytes)),
      onData: (listener) => onMessage((data) => data instanceof ArrayBuffer && listener(new Uint8Array(data))),
      onClose: (listener) => socket.addEventListener('close', ({ reason }) => listener(said || reason), { once: true }),
      close: () => socket.close(),
    };
  };
}
