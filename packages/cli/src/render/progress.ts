import type { Event, Report } from '@devenv/core';
import { wantsColor, type Environment } from './color.ts';
import { jsonNotice } from './json.ts';
import type { ProgressMode, Renderer, RendererOptions, ResolvedMode } from './renderer.ts';

export interface ProgressOptions {
  readonly mode: ProgressMode;
  readonly color: boolean;
  readonly verbose: boolean;
  /** stdin and the terminal belong to a command inside: only what happens is shown, never that nothing does. */
  readonly interactive: boolean;
  /** Opened when there is something to write. */
  readonly stream: () => NodeJS.WriteStream;
  readonly env: Environment;
}

export interface Progress {
  readonly mode: ResolvedMode;
  readonly color: boolean;
  readonly report: Report;
  message(text: string): void;
  /** The user asked to stop. */
  stop(text: string): void;
  close(): Promise<void>;
  /** Path of the whole log of the task that failed last. */
  failedLog(): string | undefined;
}

/** How long a command may work without a word before it says that it works. */
const quietMilliseconds = 1000;

/** Loads the code that draws when there is something to draw: a warm `up` and `exec` have nothing. */
export function createProgress(options: ProgressOptions): Progress {
  let setting: Pick<Progress, 'mode' | 'color'> | undefined;
  const settings = (): Pick<Progress, 'mode' | 'color'> =>
    (setting ??= { mode: resolveMode(options), color: options.color && wantsColor(options.stream(), options.env) });
  const waiting: Event[] = [];
  let renderer: Renderer | undefined;
  let loading: Promise<void> | undefined;
  let log: string | undefined;
  let stopping = false;
  const start = async (): Promise<void> => {
    const { mode, color } = settings();
    renderer = await loadRenderer(mode, {
      color,
      verbose: options.verbose,
      interactive: options.interactive,
      stream: options.stream(),
      stopping: () => stopping,
    });
    for (const event of waiting.splice(0)) renderer.event(event);
  };
  const load = (): Promise<void> => (loading ??= start());
  const timer = options.interactive ? undefined : setTimeout(() => void load(), quietMilliseconds).unref();
  const message = (text: string): void => {
    if (renderer) renderer.print(text);
    else if (settings().mode === 'json') jsonNotice(options.stream(), text);
    else options.stream().write(`${text}\n`);
  };
  return {
    get mode() {
      return settings().mode;
    },
    get color() {
      return settings().color;
    },
    report(event) {
      if (event.type === 'task' && event.state === 'failed') log = event.log;
      if (renderer) return renderer.event(event);
      waiting.push(event);
      void load();
    },
    message,
    stop(text) {
      stopping = true;
      message(text);
    },
    async close() {
      clearTimeout(timer);
      await loading;
      renderer?.close();
    },
    failedLog: () => log,
  };
}

async function loadRenderer(mode: ResolvedMode, options: RendererOptions): Promise<Renderer> {
  switch (mode) {
    case 'tty':
      return (await import('./terminal.ts')).terminalRenderer(options);
    case 'plain':
      return (await import('./plain.ts')).plainRenderer(options);
    case 'github':
    case 'gitlab':
      return jobLog(mode, options);
    case 'json':
      return (await import('./json.ts')).jsonRenderer(options.stream);
    case 'quiet':
      break;
  }
  return (await import('./plain.ts')).quietRenderer(options);
}

async function jobLog(mode: 'github' | 'gitlab', options: RendererOptions): Promise<Renderer> {
  const write = (line: string): void => void options.stream.write(`${line}\n`);
  const [{ jobLogRenderer }, log] = await Promise.all([
    import('./job-log.ts'),
    mode === 'github'
      ? import('./github.ts').then(({ githubLog }) => githubLog(write))
      : import('./gitlab.ts').then(({ gitlabLog }) => gitlabLog(write)),
  ]);
  return jobLogRenderer(options, log);
}

function resolveMode({ mode, stream, env }: ProgressOptions): ResolvedMode {
  if (mode !== 'auto') return mode;
  if (env['GITHUB_ACTIONS'] === 'true') return 'github';
  if (env['GITLAB_CI'] === 'true') return 'gitlab';
  // Pseudo-terminals whose owner never set a size say 0 columns: nothing can be drawn in place there.
  const { isTTY, columns } = stream();
  return isTTY && columns > 0 && !env['CI'] && env['TERM'] !== 'dumb' ? 'tty' : 'plain';
}
