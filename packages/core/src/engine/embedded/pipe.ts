import { chownSync, closeSync, constants, fchownSync, openSync, readlinkSync, unlinkSync } from 'node:fs';
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
  const ready = readyPipes.pop();
  return ready === undefined ? makePipe(path, owner) : takePipe(ready, owner);
}

/** The launcher's, a shell, which makes them at no cost: the native code that Node needs for it takes longer than entering. */
const readyPipes = process.env['DEVENV_PIPES'] === String(process.pid) ? [4, 3].filter(isPipe) : [];
delete process.env['DEVENV_PIPES'];

function isPipe(descriptor: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith('pipe:');
  } catch {
    return false;
  }
}

/** `descriptor` reads from a pipe that nobody else has and nobody writes to. */
function takePipe(descriptor: number, owner: Owner): Pipe {
  const path = `/proc/self/fd/${descriptor}`;
  try {
    fchownSync(descriptor, owner.uid, owner.gid);
    const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    return { reader: new Socket({ fd: reader, readable: true, writable: false }), writer: openWriter(path, reader) };
  } finally {
    closeSync(descriptor);
  }
}

function makePipe(path: string, owner: Owner): Pipe {
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
