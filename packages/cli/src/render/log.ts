import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { LogLine } from '@devenv/core';

export type LogForm = 'plain' | 'timestamps' | 'json';

/**
 * Writes a container's log to the streams that its command wrote to, its bytes as they are; as JSON all to stdout, a line for
 * each entry. Ends when the log does, or when a reader has gone away.
 */
export async function writeLog(
  lines: AsyncIterable<LogLine>,
  form: LogForm,
  { stdout, stderr }: { readonly stdout: Writable; readonly stderr: Writable },
): Promise<void> {
  let closed = false;
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') throw error;
    closed = true;
  };
  const begun = { stdout: true, stderr: true };
  for (const stream of [stdout, stderr]) stream.on('error', onError);
  const gathering = gather();
  for await (const line of lines) {
    if (closed) break;
    const stream = form === 'json' || line.stream === 'stdout' ? stdout : stderr;
    const bytes = form === 'json' ? Buffer.from(asJson(line)) : asBytes(line, form === 'timestamps' && begun[line.stream]);
    begun[line.stream] = line.complete;
    gathering.into(stream);
    if (stream.write(bytes) || closed) continue;
    gathering.end();
    if (stream.writableNeedDrain) await untilWritten(stream).catch(onError);
  }
  gathering.end();
}

/** What comes in one turn goes out at once: a line is a call of the system else. Of two streams the order stays. */
function gather(): { into(stream: Writable): void; end(): void } {
  let open: Writable | undefined;
  const end = (): void => {
    open?.uncork();
    open = undefined;
  };
  return {
    into(stream) {
      if (open === stream) return;
      if (open) end();
      else setImmediate(end);
      stream.cork();
      open = stream;
    },
    end,
  };
}

/** Or until nobody reads any more. Leaves no listener behind: a log has many lines. */
async function untilWritten(stream: Writable): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race(['drain', 'close'].map((name) => once(stream, name, { signal: done.signal })));
  } finally {
    done.abort();
  }
}

function asJson({ time, stream, bytes, complete }: LogLine): string {
  return `${JSON.stringify({ time, stream, text: Buffer.from(bytes).toString(), complete })}\n`;
}

function asBytes({ time, bytes, complete }: LogLine, timed: boolean): Buffer {
  return Buffer.concat([Buffer.from(timed ? `${time} ` : ''), bytes, Buffer.from(complete ? '\n' : '')]);
}
