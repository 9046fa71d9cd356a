import { chownSync, closeSync, constants, openSync, unlinkSync } from 'node:fs';
import { Socket } from 'node:net';
import { makeNode } from '../../base/system-calls.ts';
import type { Owner } from './tree.ts';

export interface Pipe {
  readonly reader: Socket;
  /** To be given to a child and closed here: the reader ends with the last writer. */
  readonly writer: number;
}

/**
 * A pipe of the kernel, made at a path that is gone afterwards. What Node gives a child are sockets, and those cannot be
 * opened again: `echo > /dev/stderr` fails on them. `owner` may open it. Used for both stdout and stderr, it keeps their order.
 */
export function openPipe(path: string, owner: Owner): Pipe {
  const fifo = 0o010600; // S_IFIFO
  makeNode(path, fifo, 0, 0);
  try {
    chownSync(path, owner.uid, owner.gid);
    const end = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openWriter(path, end);
    return { reader: new Socket({ fd: end, readable: true, writable: false }), writer };
  } finally {
    unlinkSync(path);
  }
}

function openWriter(path: string, reader: number): number {
  try {
    return openSync(path, constants.O_WRONLY);
  } catch (error) {
    closeSync(reader);
    throw error;
  }
}
