import type { Event, Report } from '@devenv/core';
import { wantsColor, type Environment } from './color.ts';

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'json' | 'quiet';

/** Turns events into something to look at. */
export interface Renderer {
  event(event: Event): void;
  /** A line of its own, above what changes in place. */
  print(text: string): void;
  close(): void;
}

export interface ProgressOptions {
  readonly mode: ProgressMode;
  readonly color: boolean;
  readonly verbose: boolean;
  /** stdin and the terminal belong to a command inside: only what happens is shown, never that nothing does. */
  readonly interactive: boolean;
  readonly stream: NodeJS.WriteStream;
  readonly env: Environment;
}

export interface Progress {
  readonly mode: Exclude<ProgressMode, 'auto'>;
  readonly color: boolean;
  readonly report: Report;
  message(text: string): void;
  close(): Promise<void>;
  /** Path of the whole log of the task that failed last. */
  failedLog(): string | undefined;
}

/** How long a command may work without a word before it says that it works. */
const quietMilliseconds = 1000;

/** Loads the code that draws when there is something to draw: a warm `up` and `exec` have nothing. */
export function createProgress(options: ProgressOptions): Progress {
  const mode = resolveMode(options);
  const color = options.color && wantsColor(options.stream, options.env);
  const waiting: Event[] = [];
  let renderer: Renderer | undefined;
  let loading: Promise<void> | undefined;
  let log: string | undefined;
  const start = async (): Promise<void> => {
    renderer = await loadRenderer(mode, { ...options, color });
    for (const event of waiting.splice(0)) renderer.event(event);
  };
  const load = (): Promise<void> => (loading ??= start());
  const timer =
    options.interactive || mode === 'quiet' || mode === 'json' ? undefined : setTimeout(() => void load(), quietMilliseconds).unref();
  return {
    mode,
    color,
    report(event) {
      if (event.type === 'task' && event.state === 'failed') log = event.log;
      if (renderer) return renderer.event(event);
      waiting.push(event);
      void load();
    },
    message(text) {
      if (mode === 'json') options.stream.write(`${JSON.stringify({ type: 'notice', level: 'info', message: text })}\n`);
      else if (renderer) renderer.print(text);
      else options.stream.write(`${text}\n`);
    },
    async close() {
      clearTimeout(timer);
      await loading;
      renderer?.close();
    },
    failedLog: () => log,
  };
}

async function loadRenderer(mode: Progress['mode'], options: ProgressOptions): Promise<Renderer> {
  switch (mode) {
    case 'tty':
      return (await import('./terminal.ts')).terminalRenderer(options);
    case 'plain':
      return (await import('./plain.ts')).plainRenderer(options);
    case 'json':
      return (await import('./json.ts')).jsonRenderer(options.stream);
    case 'quiet':
      break;
  }
  return (await import('./plain.ts')).quietRenderer(options);
}

function resolveMode({ mode, stream, env }: ProgressOptions): Progress['mode'] {
  if (mode !== 'auto') return mode;
  return stream.isTTY && !env['CI'] && env['TERM'] !== 'dumb' ? 'tty' : 'plain';
}
