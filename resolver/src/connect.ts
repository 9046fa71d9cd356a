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
}

/** Takes the greeting off; afterwards the pipe has the server's bytes only. @throws Error with the reason when it ends before */
export function greet(pipe: Pipe): Promise<{ readonly greeting: Greeting; readonly pipe: Pipe }> {
  return new Promise((resolve, reject) => {
    let head: Uint8Array = new Uint8Array();
    let forward: ((bytes: Uint8Array) => void) | undefined;
    let kept: Uint8Array[] = [];
    pipe.onClose((reason) => reject(new Error(reason || 'The connection ended before the server said what it is.')));
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
        resolve({ greeting: JSON.parse(new TextDecoder().decode(head.subarray(0, end))) as Greeting, pipe: { ...pipe, onData } });
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
