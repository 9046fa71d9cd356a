import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isMissing } from '../../base/files.ts';
import type { LogLine, LogOptions } from '../engine.ts';
import { containerFiles, readProcesses } from './container-files.ts';
import { isAlive } from './living-process.ts';

const pollMilliseconds = 200;

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
 * nobody writes any more. conmon begins a full log anew: what it dropped is gone, nothing else is left out or told twice.
 * An abort ends it as the end of the log does.
 */
export async function* readLog(path: string, isWritten: () => boolean, options: LogOptions): AsyncGenerator<LogLine> {
  let isFirst = true;
  for await (const lines of drains(path, options.follow ? isWritten : () => false, options.signal)) {
    yield* isFirst && options.tail !== undefined ? lastLines(lines, options.tail) : lines;
    isFirst = false;
  }
}

/** All that there is, then each time all that has come: at most conmon's limit, so it fits in memory. */
async function* drains(path: string, isWritten: () => boolean, signal: AbortSignal | undefined): AsyncGenerator<LogLine[]> {
  let file: LogFile | undefined;
  try {
    for (;;) {
      // Asked before reading: what was written until the end is read then.
      const last = !isWritten();
      file ??= LogFile.open(path);
      const lines = file?.read() ?? [];
      if (file?.isReplaced()) {
        lines.push(...file.read()); // between our reading and the replacement
        file.close();
        file = LogFile.open(path);
        lines.push(...(file?.read() ?? []));
      }
      yield lines;
      if (last || signal?.aborted) return;
      await delay(pollMilliseconds, undefined, signal ? { signal } : {}).catch(() => {});
      if (signal?.aborted) return;
    }
  } finally {
    file?.close();
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

  read(): LogLine[] {
    if (fstatSync(this.descriptor).size < this.position) {
      this.position = 0;
      this.rest = Buffer.alloc(0);
    }
    const chunks = [this.rest];
    for (;;) {
      const chunk = Buffer.allocUnsafe(256 * 1024);
      const count = readSync(this.descriptor, chunk, 0, chunk.length, this.position);
      if (count === 0) break;
      this.position += count;
      chunks.push(chunk.subarray(0, count));
    }
    const text = Buffer.concat(chunks);
    const end = text.lastIndexOf(0x0a) + 1;
    this.rest = text.subarray(end);
    return parseLog(text.subarray(0, end));
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

function lastLines(lines: readonly LogLine[], count: number): readonly LogLine[] {
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
