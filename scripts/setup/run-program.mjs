import { spawn } from 'node:child_process';
import process from 'node:process';

/**
 * Runs a program to its end and gives its exit code (1 when a signal ended it, 127 when it does not exist) and everything it said.
 * The lines that `shows` picks are printed as they come, and a sign of life when there was none for a while. `inherit` gives the
 * program our own terminal instead, and then nothing is kept.
 */
export function runProgram(command, args, { cwd, env = process.env, shows, inherit = false, timeoutSeconds } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: inherit ? 'inherit' : ['ignore', 'pipe', 'pipe'] });
    const printer = linePrinter(shows);
    let output = '';
    const hear = (chunk) => {
      output += chunk;
      printer.hear(chunk);
    };
    child.stdout?.setEncoding('utf8').on('data', hear);
    child.stderr?.setEncoding('utf8').on('data', hear);
    const timer = timeoutSeconds && setTimeout(() => child.kill('SIGKILL'), timeoutSeconds * 1000);
    const finish = (exitCode, lastWords) => {
      clearTimeout(timer);
      printer.end();
      resolve({ exitCode, output: output + lastWords });
    };
    child.on('error', (error) => finish(127, error.message));
    child.on('close', (code) => finish(code ?? 1, ''));
  });
}

const longestSilenceMs = 5000;

function linePrinter(shows) {
  if (!shows) return { hear() {}, end() {} };
  const started = performance.now();
  let rest = '';
  const print = (line) => {
    console.log(`  ${line}`);
    heartbeat.refresh();
  };
  const heartbeat = setInterval(() => print(`… ${Math.round((performance.now() - started) / 1000)} s`), longestSilenceMs);
  return {
    hear(chunk) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop();
      lines.filter(shows).forEach(print);
    },
    end() {
      clearInterval(heartbeat);
      if (rest && shows(rest)) print(rest);
    },
  };
}
