import { closeSync, openSync } from 'node:fs';
import { writeWhileThereIsSpace } from '../../base/disk-trouble.ts';
import { partBytes } from './container-log.ts';

/** Adds to a container's log what a command says that is connected with us, in the form of conmon's (`k8s-file`). */
export class OutputLog implements Disposable {
  readonly #descriptor: number;
  /** Bytes that it may still add: what comes then is not recorded. */
  #left = partBytes;
  #open = true;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'a', 0o600);
  }

  /** A piece as it came: its last line may go on in the next one. */
  add(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    const time = new Date().toISOString();
    for (let at = 0; at < bytes.length && this.#open;) {
      const end = bytes.indexOf(10, at);
      const isWhole = end >= 0;
      const line = bytes.subarray(at, isWhole ? end : bytes.length);
      const entry = Buffer.concat([Buffer.from(`${time} ${stream} ${isWhole ? 'F' : 'P'} `), line, Buffer.from('\n')]);
      this.#left -= entry.length;
      if (this.#left < 0) return;
      writeWhileThereIsSpace(this.#descriptor, entry);
      at = isWhole ? end + 1 : bytes.length;
    }
  }

  [Symbol.dispose](): void {
    if (this.#open) closeSync(this.#descriptor);
    this.#open = false;
  }
}
