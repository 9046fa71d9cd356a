import { closeSync, existsSync, fstatSync, linkSync, openSync, readSync, rmSync, statSync } from 'node:fs';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { isMissing } from '../../base/files.ts';
import type { LogLine, LogOptions } from '../engine.ts';
import { containerFiles, readProcesses } from './container-files.ts';
import { isAlive } from './living-process.ts';

const pollMilliseconds = 200;
const pieceBytes = 256 * 1024;

/** conmon writes the last words of a container when its init has ended. */
export function containerLog(directory: string, options: LogOptions): AsyncIterable<LogLine> {
  const isWritten = (): boolean => {
    const processes = readProcesses(directory);
    return isAlive(processes?.init) || isAlive(processes?.conmon);
  };
  return readLog(containerFiles(directory).log, isWritten, options);
}

/** Bytes of one part of a log. conmon begins a part that is full anew, and drops what was in it. */
export const partBytes: number = 16 * 1024 * 1024;

/**
 * Keeps the first two parts of a log, by a second name of each: nobody is there when conmon replaces a full one. It writes the next part
 * to a file beside, which may exist, and gives that the log's name. Idempotent: what a log of before has is left.
 */
export function keepParts(log: string): void {
  const [first, second] = earlierParts(log);
  if (existsSync(first)) return;
  for (const path of [log, second]) closeSync(openSync(path, 'a', 0o600));
  rmSync(`${log}.tmp`, { force: true }); // of one who was killed in between
  linkSync(second, `${log}.tmp`);
  linkSync(log, first);
}

function earlierParts(log: string): readonly [first: string, second: string] {
  return [`${log}.1`, `${log}.2`];
}

/**
 * The log that conmon writes (`k8s-file`), from its beginning or its last `tail` lines on. `follow`: then what comes, until
 * nobody writes any more; else what was there when it was asked for. Of a log of more than three parts those between the second and
 * the last are gone; nothing else is left out or told twice. An abort ends it as the end of the log does. Of a log only a piece is
 * held in memory, and the lines that `tail` asks for.
 */
export async function* readLog(path: string, isWritten: () => boolean, options: LogOptions): AsyncGenerator<LogLine> {
  const { follow, tail, signal, onGap } = options;
  let file = LogFile.open(path);
  const before = file ? partsBefore(path, file) : { parts: [], adjoin: true };
  try {
    const there = [...before.parts, ...(file ? [file] : [])];
    if (tail === undefined) {
      for (const part of there) {
        if (part === file && before.parts.length > 0 && !before.adjoin) onGap?.();
        yield* untilAborted(part.pieces(part.size), signal);
      }
    } else yield* lastLines(before.adjoin ? there : there.slice(-1), tail);
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
    for (const part of before.parts) part.close();
    file?.close();
  }
}

/** `adjoin`: the last of them and this one are known to have nothing between them. */
function partsBefore(path: string, file: LogFile): { readonly parts: readonly LogFile[]; readonly adjoin: boolean } {
  const parts = earlierParts(path).map((part) => LogFile.open(part));
  const at = parts.findIndex((part) => part?.inode === file.inode);
  const before = at === -1 ? parts : parts.slice(0, at);
  for (const part of parts) if (!before.includes(part)) part?.close();
  return { parts: before.filter((part) => part !== undefined), adjoin: at !== -1 };
}

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

  get inode(): number {
    return fstatSync(this.descriptor).ino;
  }

  /** What has come since it was read, up to a position in the file; or from the first line on that begins at `from` or later. */
  *pieces(end = Infinity, from?: number): Generator<readonly LogLine[]> {
    if (from !== undefined || this.size < this.position) {
      this.position = from ?? 0;
      this.rest = Buffer.alloc(0);
    }
    let skips = this.position > 0 && from !== undefined;
    if (skips) this.position -= 1; // the end of a line there means that one begins at `from`
    while (this.position < end) {
      const chunk = Buffer.allocUnsafe(pieceBytes);
      const count = readSync(this.descriptor, chunk, 0, Math.min(chunk.length, end - this.position), this.position);
      if (count === 0) return;
      this.position += count;
      const text = Buffer.concat([this.rest, chunk.subarray(0, count)]);
      const begin = skips ? text.indexOf(0x0a) + 1 : 0;
      const rest = text.lastIndexOf(0x0a) + 1;
      skips &&= begin === 0;
      this.rest = text.subarray(rest);
      yield parseLog(text.subarray(begin, rest));
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

/** The last lines of files that continue each other, read from the end. */
function lastLines(files: readonly LogFile[], count: number): readonly LogLine[] {
  let lines: readonly LogLine[] = [];
  for (const file of files.toReversed()) {
    const { size } = file;
    for (let bytes = pieceBytes; ; bytes *= 2) {
      const all = [...[...file.pieces(size, Math.max(0, size - bytes))].flat(), ...lines];
      const found = cutToLast(all, count);
      if (found.length < all.length) return found;
      if (bytes < size) continue;
      lines = found;
      break;
    }
  }
  return lines;
}

function cutToLast(lines: readonly LogLine[], count: number): readonly LogLine[] {
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
