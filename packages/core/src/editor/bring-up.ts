import path from 'node:path';
import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import { exitCodeOf } from '../base/processes.ts';
import { startDevenv, type DevenvProgram } from './devenv-program.ts';

export interface BroughtUp {
  readonly environmentId: string;
  readonly remoteWorkspaceFolder: string;
}

export interface BringUpOptions {
  /** Relative to cwd. */
  readonly configFile?: string;
  readonly cwd: string;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/** `devenv up`, as a program of its own; its events are ours. @throws UserError with its code and message */
export async function bringUp(program: DevenvProgram, { configFile, cwd, report, signal }: BringUpOptions): Promise<BroughtUp> {
  const config = configFile === undefined ? [] : ['--config', path.resolve(cwd, configFile)];
  const child = startDevenv(program, ['up', ...config, '--json', '--progress', 'json'], 'pipe');
  child.stdin!.end();
  const interrupt = (): void => void child.kill('SIGINT');
  signal.addEventListener('abort', interrupt);
  let [output, rest, words] = ['', '', ''];
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (!forward(line, report)) words += `${line}\n`;
  });
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, by) => resolve(exitCodeOf(code, by)));
  }).finally(() => signal.removeEventListener('abort', interrupt));
  signal.throwIfAborted();
  const last = output.trimEnd().split('\n').at(-1) ?? '';
  const result = last.startsWith('{') ? (JSON.parse(last) as BroughtUp & Partial<UserError>) : undefined;
  if (exitCode === 0 && result) return result;
  const { code = 'INTERNAL', message = words.trim() || `devenv up ended with ${exitCode}`, hint, problems = [], log } = result ?? {};
  throw new UserError(code, message, { ...(hint ? { hint } : {}), problems, ...(log ? { log } : {}) });
}

/** Whether it was an event. */
function forward(line: string, report: Report): boolean {
  if (!line.startsWith('{')) return false;
  try {
    const event = JSON.parse(line) as Parameters<Report>[0];
    if (!['task', 'output', 'transfer', 'notice'].includes(event.type)) return false;
    report(event);
    return true;
  } catch {
    return false;
  }
}
