import type { WebSocket } from '../base/loopback-server.ts';
import { exitCodeOf, type ChildProcess } from '../base/processes.ts';
import { startDevenv, type DevenvProgram } from './devenv-program.ts';

/** What the extension asks for. Its page may do the same in a terminal; the list is there so that a slip of it stays small. */
const allowed = new Set(['up', 'stop', 'down', 'ps', 'status', 'init', 'plan', 'exec', 'doctor']);

/** Runs one devenv command for a page. The messages are in docs/editors.md. */
export function runForPage(socket: WebSocket, program: DevenvProgram): void {
  let interrupt: (() => void) | undefined;
  const say = (message: object): void => socket.send(JSON.stringify(message));
  const refuse = (reason: string): void => {
    say({ stderr: `${reason}\n` });
    say({ exitCode: 2 });
    socket.close();
  };
  const begin = (args: readonly unknown[]): void => {
    if (!args.every((word) => typeof word === 'string')) return refuse('The words of a command are texts.');
    if (!allowed.has(args[0] ?? '')) return refuse(`This page may not ask for: ${args[0] ?? 'nothing'}`);
    let child: ChildProcess;
    try {
      child = startDevenv(program, args, 'pipe');
    } catch (error) {
      // Words that are too long, or have a NUL: spawn throws what it cannot pass on.
      return refuse(`This command cannot be started: ${error instanceof Error ? error.message.slice(0, 500) : String(error)}`);
    }
    child.stdin?.end();
    child.stdout?.setEncoding('utf8').on('data', (stdout: string) => say({ stdout }));
    child.stderr?.setEncoding('utf8').on('data', (stderr: string) => say({ stderr }));
    child.once('error', () => socket.terminate());
    child.once('close', (code, signal) => {
      interrupt = undefined;
      say({ exitCode: exitCodeOf(code, signal) });
      socket.close();
    });
    interrupt = () => child.kill('SIGINT');
  };
  let begun = false;
  socket.on('message', (data: Buffer) => {
    const message = parse(data);
    if (message === undefined) return socket.terminate();
    if (Array.isArray(message.args) && !begun) {
      begun = true;
      begin(message.args);
    } else if (message.signal === 'SIGINT') interrupt?.();
  });
  socket.on('close', () => interrupt?.()).on('error', () => interrupt?.());
}

function parse(data: Buffer): { readonly args?: unknown; readonly signal?: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(data.toString());
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}
