import type { Readable } from 'node:stream';

/** What a connection to a server begins with, as one line of JSON. */
export interface Greeting {
  readonly schema: 1;
  readonly version: string;
  readonly commit: string;
  readonly token: string;
  /** Of the environment; this machine has none. */
  readonly name?: string;
  /** Sentences: what devenv.json asks for and the server was not given. */
  readonly problems?: readonly string[];
}

/** Reads no more than the line. @throws Error when it ends before */
export async function readGreeting(stream: Readable): Promise<Greeting> {
  let text = Buffer.alloc(0);
  for (;;) {
    const chunk = stream.read() as Buffer | null;
    if (chunk === null) {
      if (stream.readableEnded || stream.destroyed) throw new Error('The connection ended before the server said what it is.');
      await new Promise<void>((resolve) => {
        for (const event of ['readable', 'end', 'close', 'error']) stream.once(event, () => resolve());
      });
      continue;
    }
    text = Buffer.concat([text, chunk]);
    const end = text.indexOf('\n');
    if (end < 0) continue;
    if (end + 1 < text.length) stream.unshift(text.subarray(end + 1));
    return JSON.parse(text.subarray(0, end).toString()) as Greeting;
  }
}
