import type { Event, Problem } from '@devenv/core';
import { LaunchError, type Launch, type Running } from './launch.ts';

export interface CallOptions {
  /** On the host: devenv works as if started there. */
  readonly folder?: string;
  readonly onEvent?: (event: Event) => void;
  /** Aborted: devenv is interrupted, and the call fails with CANCELLED once it has ended. */
  readonly signal?: AbortSignal;
}

/** What devenv says when it fails, or what keeps it from saying anything. */
export class Failure extends Error {
  /** Of schemas/errors.json, or `CLI_NOT_FOUND`, `NOT_LAUNCHED`, `NO_ANSWER`. */
  readonly code: string;
  readonly hint: string | undefined;
  readonly problems: readonly Problem[];
  /** Where what failed is written. */
  readonly place: Pick<Problem, 'file' | 'line' | 'column'> | undefined;

  constructor(code: string, message: string, more: Partial<Pick<Failure, 'hint' | 'problems' | 'place'>> = {}) {
    super(message);
    this.code = code;
    this.hint = more.hint;
    this.problems = more.problems ?? [];
    this.place = more.place;
  }
}

/** The command line: events while it works, one object at the end. */
export class Devenv {
  readonly #launch: Launch;

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  /** The object that ends stdout. @throws Failure */
  async call<T>(args: readonly string[], { folder, onEvent, signal }: CallOptions = {}): Promise<T> {
    const place = folder === undefined ? [] : ['-C', folder];
    let [stdout, unread] = ['', ''];
    const lines = lineReader((line) => {
      const event = asEvent(line);
      if (event) onEvent?.(event);
      else unread = `${unread}${line}\n`.slice(-2000);
    });
    const running = this.#launch([...args, ...place, '--json', '--progress', 'json'], {
      onStdout: (text) => (stdout += text),
      onStderr: lines,
    });
    const exitCode = await settled(running, signal);
    return resultOf<T>(stdout, exitCode, unread);
  }

  /** Runs until it ends or the signal aborts, and tells each line of its stdout. */
  async follow(args: readonly string[], onLine: (line: string) => void, signal: AbortSignal): Promise<number> {
    const running = this.#launch(args, { onStdout: lineReader(onLine), onStderr: () => {} });
    return await settled(running, signal);
  }
}

/** @throws Failure CLI_NOT_FOUND, NOT_LAUNCHED */
async function settled(running: Running, signal: AbortSignal | undefined): Promise<number> {
  const interrupt = (): void => running.interrupt();
  if (signal?.aborted) interrupt();
  signal?.addEventListener('abort', interrupt);
  try {
    return await running.exit;
  } catch (error) {
    if (!(error instanceof LaunchError)) throw error;
    if (!error.missing) throw new Failure('NOT_LAUNCHED', error.message);
    throw new Failure('CLI_NOT_FOUND', 'The program devenv was not found.', {
      hint: 'Install its package: npm install --global ./devenv-VERSION.tgz. Or say where it is in the setting devenv.path.',
    });
  } finally {
    signal?.removeEventListener('abort', interrupt);
  }
}

/** @throws Failure */
export function resultOf<T>(stdout: string, exitCode: number, stderr: string): T {
  const result: ({ readonly outcome?: string } & Partial<Failure>) | undefined = parsed(stdout.trimEnd().split('\n').at(-1) ?? '');
  if (result?.outcome === 'success') return result as T;
  if (result?.outcome === 'error') throw new Failure(result.code ?? 'INTERNAL', result.message ?? 'devenv failed.', result);
  throw new Failure('NO_ANSWER', `devenv ended with exit code ${exitCode}: ${stderr.trim() || 'it said nothing'}`, {
    hint: 'Is the devenv that was found the right one? Its version may be older than this extension.',
  });
}

/** Calls back with each whole line, and leaves what is not whole for the next text. */
export function lineReader(onLine: (line: string) => void): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  };
}

function asEvent(line: string): Event | undefined {
  const value = parsed(line) as Event | undefined;
  return typeof value?.type === 'string' ? value : undefined;
}

function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
