import { execFile, spawn } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { launcher, seedFolder, workspaceNode } from './seed.ts';

export { launcher };

export interface Result {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The last line of stdout as JSON, for commands called with --json. */
  readonly json: Record<string, unknown>;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  /** Aborted: the process gets SIGINT, as Ctrl-C gives it. */
  readonly interrupt?: AbortSignal;
}

/** One user on a machine of their own: a store that holds only the Debian base, and projects. Disposed: nothing of it is left. */
export interface Rig extends AsyncDisposable {
  /** DEVENV_BASE_DIR. */
  readonly base: string;
  /** Whose devenv it is, for tests that start it from a shell: what makes a command theirs, and its environment with devenv in the PATH. */
  readonly user: { wrap(command: readonly string[]): readonly string[]; readonly env: Readonly<Record<string, string>> };
  /** Makes a folder with these files and returns its path; a value that is no string is written as JSON. */
  project(files: Readonly<Record<string, unknown>>, name?: string): string;
  /** Runs the real launcher to its end. */
  devenv(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** As `devenv`, and fails the test with the output when the exit code is not 0. */
  ok(args: readonly string[], options?: RunOptions): Promise<Result>;
}

/** The base that tests share: minimal, and made once for each version of the code that makes layers. */
export const debian = { debian: 'bookworm' } as const;

/** A machine without any layer. */
export function makeEmptyRig(): Promise<Rig> {
  return makeRig(launcher, async () => {});
}

/** `program`: another devenv than the checkout's. `fill` puts into the base what is there from the start. */
export async function makeRig(program: string = launcher, fill: (base: string) => Promise<void> = copySeed): Promise<Rig> {
  const base = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-e2e-'));
  await fill(base);
  let projects = 0;
  const folders = new Set<string>();
  const environment = (extra: Readonly<Record<string, string>> = {}): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    HOME: join(base, 'home'),
    LANG: 'C.UTF-8',
    DEVENV_BASE_DIR: base,
    ...extra,
  });
  const devenv = async (args: readonly string[], options: RunOptions = {}): Promise<Result> => {
    const result = await runProcess(program, args, { ...options, env: environment(options.env) });
    const last = result.stdout.trimEnd().split('\n').at(-1) ?? '';
    return { ...result, json: last.startsWith('{') ? (JSON.parse(last) as Record<string, unknown>) : {} };
  };
  const programs = join(base, 'programs');
  mkdirSync(programs);
  symlinkSync(program, join(programs, 'devenv'));
  return {
    base,
    devenv,
    user: { wrap: (command) => command, env: environment({ PATH: `${programs}:${environment()['PATH']}` }) },
    project(files, name = `project-${++projects}`) {
      const folder = join(base, 'projects', name);
      writeFiles(folder, files);
      folders.add(folder);
      return folder;
    },
    async ok(args, options) {
      const result = await devenv(args, options);
      if (result.exitCode !== 0)
        throw new Error(`devenv ${args.join(' ')} ended with ${result.exitCode}\n${result.stdout}\n${result.stderr}`);
      return result;
    },
    async [Symbol.asyncDispose]() {
      for (const folder of folders) if (existsSync(join(folder, 'devenv.json'))) await devenv(['down', '--volumes'], { cwd: folder });
      await asStoreOwner(base, ['rm', '-rf', '--', base]);
    },
  };
}

function writeFiles(folder: string, files: Readonly<Record<string, unknown>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), typeof content === 'string' ? content : JSON.stringify(content, undefined, 2));
  }
}

/** Runs a program to its end with nothing of our environment but what is given. */
export function runProcess(command: string, args: readonly string[], options: RunOptions = {}): Promise<Omit<Result, 'json'>> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    let [stdout, stderr] = ['', ''];
    child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ exitCode: code ?? (signal ? 128 + 15 : 1), stdout, stderr }));
    options.interrupt?.addEventListener('abort', () => child.kill('SIGINT'));
    if (options.input !== undefined) child.stdin!.end(options.input);
  });
}

/** Everything on this machine that mentions a container id or a folder: what a removed environment must not leave. */
export function traces(text: string): string[] {
  const found: string[] = [];
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(text)) found.push('mount');
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (command.includes(text) && Number(pid) !== process.pid) found.push(`process ${pid} ${command}`);
      if (readFileSync(`/proc/${pid}/mountinfo`, 'utf8').includes(text)) found.push(`mount of process ${pid} ${command}`);
    } catch {
      // It ended while we looked.
    }
  }
  for (const path of globSync(`/sys/fs/cgroup/{,*/}devenv/*${text}*`)) found.push(`cgroup ${path}`);
  return found;
}

/** Layers are immutable, so that hard links of them are as good as copies. */
async function copySeed(base: string): Promise<void> {
  await asStoreOwner(base, ['cp', '-al', join(seedFolder(), 'data'), base]);
}

/** Runs a command as devenv runs here: files of a normal user's store belong to that user's subordinate ids. */
async function asStoreOwner(base: string, command: readonly string[]): Promise<string> {
  const words = process.getuid!() === 0 ? command : [workspaceNode(), mappedProgram, ...command];
  const { stdout } = await promisify(execFile)(words[0]!, words.slice(1), { env: { ...process.env, DEVENV_BASE_DIR: base } });
  return stdout;
}

const mappedProgram = join(import.meta.dirname, '../scripts/setup/mapped.ts');
