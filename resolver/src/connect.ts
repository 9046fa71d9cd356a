/** A pipe to the server of an authority, whatever carries it. Its first bytes are one line of JSON: the greeting. */
export interface Pipe {
  send(bytes: Uint8Array): void;
  /** Hears all that comes; what comes before anybody listens is kept. */
  onData(listener: (bytes: Uint8Array) => void): void;
  /** Hears why it ended, once; `''` when that is not known. */
  onClose(listener: (reason: string) => void): void;
  close(): void;
}

export type Connect = (authority: string) => Pipe;

/** What the server says of itself. */
export interface Greeting {
  readonly schema: number;
  readonly version: string;
  readonly commit: string;
  readonly token: string;
  /** Of the environment. */
  readonly name?: string;
  /** Sentences: what devenv.json asks for and the server was not given. */
  readonly problems?: readonly string[];
}

export interface Greeted {
  readonly greeting: Greeting;
  /** Has the server's bytes only. */
  readonly pipe: Pipe;
}

/**
 * As `greet`, again and again for so many milliseconds: an environment that is replaced is gone for a moment, and says nothing while its
 * hooks run. No pipe is left behind. @throws Error with the last reason
 */
export async function keepGreeting(open: () => Pipe, patience: number): Promise<Greeted> {
  for (const end = Date.now() + patience; ;) {
    const pipe = open();
    const timer = setTimeout(() => pipe.close(), end - Date.now());
    try {
      return await greet(pipe).finally(() => clearTimeout(timer));
    } catch (error) {
      if (Date.now() >= end) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}

const pause = 500; // milliseconds: each attempt is a process

/** Takes the greeting off. @throws Error with the reason when the pipe ends before */
export function greet(pipe: Pipe): Promise<Greeted> {
  return new Promise((resolve, reject) => {
    let head: Uint8Array = new Uint8Array();
    let forward: ((bytes: Uint8Array) => void) | undefined;
    let kept: Uint8Array[] = [];
    let ended: string | undefined;
    pipe.onClose((reason) => {
      ended = reason;
      reject(new Error(reason || 'The connection ended before the server said what it is.'));
    });
    // Who takes the pipe over may come after its end.
    const onClose: Pipe['onClose'] = (listener) => (ended === undefined ? pipe.onClose(listener) : listener(ended));
    const keep = (bytes: Uint8Array): void => {
      if (forward) forward(bytes);
      else kept.push(bytes);
    };
    let greeted = false;
    pipe.onData((bytes) => {
      if (greeted) return keep(bytes);
      head = joined(head, bytes);
      const end = head.indexOf(10);
      if (end < 0) return;
      greeted = true;
      if (end + 1 < head.length) keep(head.subarray(end + 1));
      const onData: Pipe['onData'] = (listener) => {
        forward = listener;
        for (const early of kept) listener(early);
        kept = [];
      };
      try {
        resolve({ greeting: JSON.parse(new TextDecoder().decode(head.subarray(0, end))) as Greeting, pipe: { ...pipe, onData, onClose } });
      } catch {
        reject(new Error('What answered is no server of devenv.'));
        pipe.close();
      }
    });
  });
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
