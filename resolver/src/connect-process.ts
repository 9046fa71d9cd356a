import { spawn } from 'node:child_process';
import type { Connect } from './connect.ts';

/** By way of `devenv code --bridge`, whose stdin and stdout are the pipe. */
export function connectProcess(program: () => string, commit: () => string | undefined): Connect {
  return (authority) => {
    const [id, own] = [authority.slice(authority.indexOf('+') + 1), commit()];
    const child = spawn(program(), ['code', '--bridge', id, ...(own === undefined ? [] : ['--commit', own])], { stdio: 'pipe' });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
    child.once('exit', () => child.stdin.destroy()); // one that was killed leaves the command inside, which ends with its input
    child.stdin.on('error', () => {}); // its end is told by `close`
    return {
      send: (bytes) => child.stdin.write(bytes),
      onData: (listener) => child.stdout.on('data', (chunk: Buffer) => listener(new Uint8Array(chunk))),
      onClose(listener) {
        child.once('error', (error) => listener(error.message));
        child.once('close', () => listener(said.trim()));
      },
      close: () => void child.kill('SIGTERM'),
    };
  };
}
