import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { isMissing } from '../../base/files.ts';
import type { LogLine, LogOptions } from '../engine.ts';
import { containerFiles, readProcesses } from './container-files.ts';
import { isAlive } from './living-process.ts';

const pollMilliseconds = 200;
const pieceBytes = 256 * 1024;
const slackLines = 4096;

/** conmon writes the last words of a container when its init has ended. */
export function containerLog(directory: string, options: LogOptions): AsyncIterable<LogLine> {
  const isWritten = (): boolean => {
    const processes = readProcesses(directory);
    return isAlive(processes?.init) || isAlive(processes?.conmon);
  };
  return readLog(containerFiles(directory).log, isWritten, options);
}

/**
 * The log that conmon writes (`k8s-file`), from its beginning or its last `tail` lines on. `follow`: then what comes, until
 * nobody writes any more; else what was there when it was asked for. conmon begins a full log anew: what it dropped is gone,
 * nothing else is left out or told twice. An abort ends it as the end of the log does. Of a log only a piece is held in memory,
 * and the lines that `tail` asks for.
 */
export async function* readLog(path: string, isWritten: () => boolean, options: LogOptions): AsyncGenerator<LogLine> {
  const { follow, tail, signal } = options;
  let file = LogFile.open(path);
  try {
    const there = file ? untilAborted(file.pieces(file.size), signal) : nothing();
    yield* tail === undefined ? there : lastLines(there, tail);
    for (;;) {
      if (!follow || signal?.aborted) return;
      // Asked before reading: what was written until the end is read then.
      const last = !isWritten();
      file ??= LogFile.open(path);
      if (file) yield* untilAborted(file.pieces(), signal);
      if (file?.isReplaced()) {
        yield* untilAborted(file.pieces(), signal); // between our reading and the replacement
        file.close();
        file = LogFile.open(path);
        continue;
      }
      if (last) return;
      await delay(pollMilliseconds, undefined, signal ? { signal } : {}).catch(() => {});
    }
  } finally {
    file?.close();
  }
}

async function* nothing(): AsyncGenerator<LogLine> {}

/** A writer may be as fast as we are: between two pieces others have their turn, who may abort. */
async function* untilAborted(pieces: Iterable<readonly LogLine[]>, signal: AbortSignal | undefined): AsyncGenerator<LogLine> {
  for (const lines of pieces) {
    if (signal?.aborted) return;
    yield* lines;
    await setImmediate();
  }
}

/** One file of the log; it stays readable when another takes its name. */
class LogFile {
  private readonly path: string;
  private readonly descriptor: number;
  private position = 0;
  /** A line whose end is not written yet. */
  private rest: Buffer = Buffer.alloc(0);

  private constructor(path: string, descriptor: number) {
    this.path = path;
    this.descriptor = descriptor;
  }

  static open(path: string): LogFile | undefined {
    try {
      return new LogFile(path, openSync(path, 'r'));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  get size(): number {
    return fstatSync(this.descriptor).size;
  }

  /** What has come since it was read, up to a position in the file. */
  *pieces(end = Infinity): Generator<readonly LogLine[]> {
    if (this.size < this.position) {
      this.position = 0;
      this.rest = Buffer.alloc(0);
    }
    while (this.position < end) {
      const chunk = Buffer.allocUnsafe(pieceBytes);
      const count = readSync(this.descriptor, chunk, 0, Math.min(chunk.length, end - this.position), this.position);
      if (count === 0) return;
      this.position += count;
      const text = Buffer.concat([this.rest, chunk.subarray(0, count)]);
      const start = text.lastIndexOf(0x0a) + 1;
      this.rest = text.subarray(start);
      yield parseLog(text.subarray(0, start));
    }
  }

  isReplaced(): boolean {
    const now = statSync(this.path, { throwIfNoEntry: false });
    return now !== undefined && now.ino !== fstatSync(this.descriptor).ino;
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** `2026-11-24T10:00:00.123456789+00:00 stdout F text`; P instead of F: the line goes on. A line that a crash has cut is left out. */
function parseLog(text: Buffer): LogLine[] {
  const lines: LogLine[] = [];
  for (let start = 0; start < text.length;) {
    const end = text.indexOf(0x0a, start);
    const head = /^(\d{4}-\S+) (stdout|stderr) ([FP]) /.exec(text.toString('latin1', start, Math.min(end, start + 80)));
    if (head) {
      const [{ length }, time, stream, kind] = head as unknown as [string, string, LogLine['stream'], string];
      lines.push({ time, stream, bytes: text.subarray(start + length, end), complete: kind === 'F' });
    }
    start = end + 1;
  }
  return lines;
}

async function* lastLines(lines: AsyncIterable<LogLine>, count: number): AsyncGenerator<LogLine> {
  let kept: LogLine[] = [];
  let enough = slackLines;
  for await (const line of lines) {
    kept.push(line);
    if (kept.length < enough) continue;
    kept = cutToLast(kept, count);
    enough = 2 * kept.length + slackLines; // now and then, not for each line: all that is kept is looked at
  }
  yield* cutToLast(kept, count);
}

function cutToLast(lines: LogLine[], count: number): LogLine[] {
  let [start, wanted] = [lines.length, count];
  const seen = new Set<LogLine['stream']>();
  for (; start > 0; start--) {
    const { stream, complete } = lines[start - 1]!;
    const endsLine = complete || !seen.has(stream);
    if (endsLine && wanted-- === 0) break;
    seen.add(stream);
  }
  return lines.slice(start);
}
