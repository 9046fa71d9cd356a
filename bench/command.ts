import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A program with the place and variables it runs in. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

let logs = 0;

/**
 * Runs a program to its end and returns the milliseconds it took. Its output goes into a file: what it leaves behind in the background
 * may hold it open. @throws Error with the output when it fails
 */
export async function timed({ program, args, cwd, env }: Command): Promise<number> {
  const log = join(env['HOME']!, `output-${logs++}`);
  const output = openSync(log, 'w');
  try {
    const started = performance.now();
    const child = spawn(program, args, { cwd, env, stdio: ['ignore', output, output] });
    const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve));
    const elapsed = performance.now() - started;
    if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}\n${readFileSync(log, 'utf8').slice(-2000)}`);
    return elapsed;
  } finally {
    closeSync(output);
    rmSync(log);
  }
}

/** Runs a program to its end and returns what it printed. @throws Error with the output when it fails */
export async function outputOf({ program, args, cwd, env }: Command): Promise<string> {
  const child = spawn(program, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (code !== 0) throw new Error(`${program} ${args.join(' ')} ended with ${String(code)}\n${stderr}`);
  return stdout.trim();
}

/** The largest resident size, in MB, that the program or a process it waited for had. */
export async function peakMemory(command: Command): Promise<number> {
  const report = join(command.env['HOME']!, `peak-${logs++}`);
  try {
    await timed({ ...command, program: '/usr/bin/time', args: ['-f', '%M', '-o', report, command.program, ...command.args] });
    return Number(readFileSync(report, 'utf8')) / 1024;
  } finally {
    rmSync(report, { force: true });
  }
}
