import { spawn, type ChildProcess, type SpawnOptions, type StdioOptions } from 'node:child_process';

export type { ChildProcess };

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment of the child; default: ours. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly input?: string | Uint8Array;
  readonly signal?: AbortSignal | undefined;
  /** What an abort sends; default: SIGTERM. */
  readonly killSignal?: NodeJS.Signals;
  /** Hears stdout and stderr as they come. */
  readonly onOutput?: (chunk: Buffer) => void;
}

export interface RunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a program to its end, whatever its exit code; 128+n when a signal ended it. An abort kills it and rejects.
 * @throws the ENOENT of spawn when there is no such program.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const settings: SpawnOptions = { stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'] };
    if (options.cwd) settings.cwd = options.cwd;
    if (options.env) settings.env = options.env;
    if (options.signal) settings.signal = options.signal;
    if (options.killSignal) settings.killSignal = options.killSignal;
    const child = spawn(command, args, settings);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout!.on('data', (chunk: Buffer) => (stdout.push(chunk), options.onOutput?.(chunk)));
    child.stderr!.on('data', (chunk: Buffer) => (stderr.push(chunk), options.onOutput?.(chunk)));
    child.on('error', reject);
    child.on('close', (code, signal) =>
      resolve({ exitCode: exitCodeOf(code, signal), stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() }),
    );
    if (options.input !== undefined) {
      child.stdin!.on('error', () => {}); // a program that does not read its input is its own affair
      child.stdin!.end(options.input);
    }
  });
}

export interface StartOptions {
  readonly stdio: StdioOptions;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** A session of its own: signals of our terminal do not reach it. */
  readonly detached?: boolean;
  readonly cwd?: string;
}

/** Starts a program on the descriptors given: for those that outlive the call or own the terminal. */
export function start(command: string, args: readonly string[], options: StartOptions): ChildProcess {
  return spawn(command, args, { ...options });
}

/**
 * Becomes another program: same process, descriptors and environment (execve(2)). Does not return.
 * @throws the error of execve
 */
export function replaceProcess(program: string, args: readonly string[]): never {
  const { DEVENV_PIPES: _closed, ...env } = process.env; // the pipes that our launcher made end here
  process.execve!(program, [program, ...args], env);
  throw new Error(`${program} did not start`);
}

/** As shells count: the code, or 128+n for signal n. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  if (code !== null) return code;
  return signal ? 128 + (signalNumbers[signal] ?? 0) : 1;
}

const signalNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
};
