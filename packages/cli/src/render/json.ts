import type { Renderer } from './renderer.ts';

/** One JSON line for each event: for editors and other programs. */
export function jsonRenderer(stream: NodeJS.WritableStream): Renderer {
  return {
    event: (event) => void stream.write(`${JSON.stringify(event)}\n`),
    print: (text) => jsonNotice(stream, text),
    close() {},
  };
}

export function jsonNotice(stream: NodeJS.WritableStream, message: string): void {
  stream.write(`${JSON.stringify({ type: 'notice', level: 'info', message })}\n`);
}
