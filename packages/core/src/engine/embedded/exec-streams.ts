import { closeSync, fstatSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { isatty } from 'node:tty';
import type { ChildProcess } from '../../base/processes.ts';
import type { ExecOptions } from '../engine.ts';
import { isInBackground } from './living-process.ts';
import type { OutputLog } from './output-log.ts';
import type { Pipe } from './pipe.ts';
import type { Owner } from './tree.ts';

/** What a command inside reads and writes. */
export interface Streams {
  /** For the runtime's descriptors 0 to 2. */
  readonly stdio: readonly ('inherit' | 'pipe' | number)[];
  /** To be called as soon as the runtime runs: closes what is its own, and moves what has to be moved. */
  started(child: ChildProcess): {
    readonly stdout: Readable | null;
    readonly stderr: Readable | null;
    readonly readers: readonly Socket[];
    /** Why what the command said could not be written. */
    readonly failure: () => Error | undefined;
  };
}

/**
 * Connects a command inside with us. Runtimes give the standard streams of a process to its user (runc and crun: fchown(2)),
 * whatever they are: so a file, a device or a named pipe of the host is never handed in itself, its bytes are moved. What is
 * a pipe or a socket already belongs to nobody else and goes in as it is. What is logged passes by us, a terminal's too: the runtime
 * reads ours and writes what the one inside shows. `path`: where pipes may be made for a moment.
 */
export async function openStreams({ stdio, terminal }: ExecOptions, path: string, owner: Owner, log?: OutputLog): Promise<Streams> {
  if (terminal && !log)
    return {
      stdio: ['inherit', 'inherit', 'inherit'],
      started: () => ({ stdout: null, stderr: null, readers: [], failure: () => undefined }),
    };
  const isMoved = (descriptor: number): boolean => stdio === 'pipe' || (log !== undefined && descriptor > 0) || !isPassable(descriptor);
  const moved = terminal ? [false, true, false] : [0, 1, 2].map(isMoved);
  const pipe = moved[1] || moved[2] ? await pipeMaker(path, owner) : undefined;
  const stdout = moved[1] ? pipe!() : undefined;
  // Into one file they stay in order only on one pipe.
  const stderr = moved[2] ? (stdio === 'inherit' && stdout && isSame(1, 2) ? stdout : pipe!()) : undefined;
  const pipes = [...new Set([stdout, stderr])].filter((each) => each !== undefined);
  return {
    stdio: [moved[0] ? 'pipe' : 'inherit', stdout?.writer ?? 'inherit', stderr?.writer ?? 'inherit'],
    started(child) {
      for (const { writer } of pipes) closeSync(writer);
      let failure: Error | undefined;
      if (stdio === 'inherit') {
        const fail = (error: Error): unknown => (failure ??= error);
        if (stdout) moveOutput(stdout.reader, process.stdout, fail);
        if (stderr && stderr !== stdout) moveOutput(stderr.reader, process.stderr, fail);
        if (log) record(log, stdout!.reader, stderr === stdout ? undefined : stderr?.reader);
        if (moved[0]) moveInput(child);
      }
      return {
        stdout: stdout?.reader ?? child.stdout,
        stderr: stderr?.reader ?? child.stderr,
        readers: pipes.map(({ reader }) => reader),
        failure: () => failure,
      };
    },
  };
}

/** Native code is loaded only where a pipe has to be made. */
async function pipeMaker(path: string, owner: Owner): Promise<() => Pipe> {
  const { openPipe } = await import('./pipe.ts');
  let made = 0;
  return () => openPipe(`${path}-${(serial += 1)}-${made++}`, owner);
}

let serial = 0;

/** When nobody reads what the command says, or it cannot be written, the command hears of it as from a pipe: SIGPIPE. */
function moveOutput(reader: Socket, target: NodeJS.WriteStream, fail: (error: Error) => void): void {
  target.on('error', (error: NodeJS.ErrnoException) => {
    reader.destroy();
    const isGone = error.code === 'EPIPE' || error.code === 'EIO'; // a reader that went away, a terminal that hung up
    if (!isGone) fail(error);
  });
  forward(reader, target);
}

/** The log is closed when nobody can say anything more. */
function record(log: OutputLog, stdout: Socket, stderr: Socket | undefined): void {
  let open = 0;
  for (const [name, reader] of [
    ['stdout', stdout],
    ['stderr', stderr],
  ] as const) {
    if (!reader) continue;
    open++;
    reader.on('data', (chunk: Buffer) => log.add(name, chunk));
    reader.once('close', () => --open === 0 && log[Symbol.dispose]());
  }
}

function moveInput(child: ChildProcess): void {
  const { stdin } = child;
  if (!stdin) return;
  stdin.on('error', () => {}); // a command that does not read its input is its own affair
  // To read the terminal in the background would stop us, though the command may never ask for a word.
  if (isatty(0) && isInBackground()) return void stdin.end();
  forward(process.stdin, stdin);
  process.stdin.once('end', () => stdin.end());
  child.once('exit', () => process.stdin.destroy()); // nobody reads what is left, and waiting for it would keep us
}

/**
 * What `pipe` does, but `pipe` looks at process.stdout and process.stderr: Node then opens them, and makes a pipe that a command
 * inside writes to non-blocking, so that a slow reader costs that command an error (EAGAIN).
 */
function forward(source: Readable, sink: Writable): void {
  source.on('data', (chunk: Buffer) => {
    if (sink.write(chunk)) return;
    source.pause();
    sink.once('drain', () => source.resume());
  });
}

/** A pipe or socket without a name: its owner is of no account to anybody. A closed descriptor is nobody's either. */
function isPassable(descriptor: number): boolean {
  try {
    return /^(pipe|socket):\[/.test(readlinkSync(`/proc/self/fd/${descriptor}`));
  } catch {
    return false;
  }
}

function isSame(a: number, b: number): boolean {
  const [first, second] = [fstatSync(a), fstatSync(b)];
  return first.dev === second.dev && first.ino === second.ino;
}
