import { spawn } from 'node:child_process';
import process from 'node:process';

/**
 * Runs a program to its end and gives its exit code (1 when a signal ended it, 127 when it does not exist) and everything it said.
 * `onLine` hears each line as it comes; `inherit` gives the program our own terminal instead, and then nothing is kept.
 */
export function runProgram(command, args, { cwd, env = process.env, onLine, inherit = false, timeoutSeconds } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let rest = '';
    const hear = (chunk) => {
      output += chunk;
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      if (onLine) lines.forEach(onLine);
    };
    child.stdout?.setEncoding('utf8').on('data', hear);
    child.stderr?.setEncoding('utf8').on('data', hear);
    const timer = timeoutSeconds && setTimeout(() => child.kill('SIGKILL'), timeoutSeconds * 1000);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ exitCode: 127, output: output + error.message });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (rest && onLine) onLine(rest);
      resolve({ exitCode: code ?? 1, output });
    });
  });
}
