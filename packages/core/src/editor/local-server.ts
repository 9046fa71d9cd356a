import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync, openSync, closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import { start } from '../base/processes.ts';
import type { Connection } from './connections.ts';
import type { EditorTree } from './editor-parts.ts';

export interface LocalServer extends AsyncDisposable {
  connect(): Promise<Connection>;
}

export interface LocalServerOptions {
  readonly tree: EditorTree;
  /** Version and commit of the server. */
  readonly product: { readonly version: string; readonly commit: string };
  /** Where sockets may be; a folder of our own is made in it. */
  readonly runtime: string;
  /** What the server keeps: extensions, settings. */
  readonly data: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The server for windows that show this machine: started by the first of them, ended with us. */
export function localServer(options: LocalServerOptions): LocalServer {
  let started: ReturnType<typeof startServer> | undefined;
  return {
    async connect() {
      const server = await (started ??= startServer(options));
      const socket = await reach(server.socket);
      if (!socket) throw new UserError('EDITOR_FAILED', `The editor's server on this machine has ended:\n${server.log()}`);
      const { version, commit } = options.product;
      const greeting = `${JSON.stringify({ schema: 1, version, commit, token: server.token })}\n`;
      return { greeting, output: socket, input: socket, close: () => socket.destroy() };
    },
    async [Symbol.asyncDispose]() {
      await (await started?.catch(() => undefined))?.end();
    },
  };
}

async function startServer({ tree, runtime, data, env }: LocalServerOptions) {
  for (const folder of [runtime, data]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(runtime, 'editor-')); // 0700
  const [socket, tokenFile, logFile] = ['socket', 'token', 'log'].map((name) => join(folder, name)) as [string, string, string];
  const token = randomBytes(32).toString('hex');
  writeFileSync(tokenFile, token, { mode: 0o600 });
  const log = openSync(logFile, 'w', 0o600);
  const args = ['--socket-path', socket, '--connection-token-file', tokenFile, '--accept-server-license-terms'];
  const words = ['-e', endsWithUs, join(tree.server, 'out/server-main.js'), ...args, '--telemetry-level', 'off', '--server-data-dir', data];
  const child = start(tree.node, words, { stdio: ['pipe', log, log], env, detached: true });
  closeSync(log);
  let ended = false;
  const exit = new Promise<void>((resolve) => {
    for (const event of ['exit', 'error']) child.once(event, () => resolve());
  }).then(() => void (ended = true));
  const server = {
    socket,
    token,
    log: () => readFileSync(logFile, 'utf8').slice(-2000),
    async end() {
      if (!ended) child.kill('SIGTERM');
      await Promise.race([exit, delay(3000, undefined, { ref: false })]);
      if (!ended) child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  for (let probe: Socket | undefined; ; await delay(20)) {
    probe = await reach(socket);
    if (probe) {
      probe.destroy();
      return server;
    }
    if (ended) throw new UserError('EDITOR_FAILED', `The editor's server does not start on this machine:\n${server.log()}`);
  }
}

/**
 * Runs the program that is the first argument, and ends with its stdin, whose other end we hold: nothing stays behind when we are killed.
 * The server starts its extension hosts with its own options of Node, which must not be to run this.
 */
const endsWithUs = `
process.execArgv.length = 0;
process.stdin.on('close', () => process.kill(process.pid, 'SIGTERM')).resume();
import(process.argv[1]);
`;

function reach(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket)).once('error', () => resolve(undefined));
  });
}
