import { closeSync, existsSync, mkdirSync, openSync, readdirSync, readFileSync, readlinkSync, unlinkSync, writeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { dirname, posix } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../base/errors.ts';
import { readText } from '../../base/files.ts';
import { exitCodeOf, start, type ChildProcess } from '../../base/processes.ts';
import { requireTerminal } from '../../base/terminal.ts';
import type { ExecOptions, Process } from '../engine.ts';
import { outOfMemoryCount } from './cgroup.ts';
import { checkWorkdir } from './check-tree.ts';
import { checkCommand } from './command.ts';
import { containerFiles, readProcesses, readRecord, type ContainerRecord } from './container-files.ts';
import { endWithUs } from './end-with-us.ts';
import { swapOwner } from './id-swap.ts';
import { groupOf, isAlive, isEnding, type LivingProcess } from './living-process.ts';
import { runtimeArguments, runtimeEnvironment } from './runtime-call.ts';
import { processCapabilities, type OciProcess } from './oci-process.ts';
import type { OutputLog } from './output-log.ts';
import { openStreams, type Streams } from './exec-streams.ts';
import { terminalVariables } from './terminal-variables.ts';
import { find } from './tree.ts';
import { asHeld, lookUpUser, type User } from './user.ts';

/**
 * Runs a command in a running container. This is the way of every `devenv exec`: it reads two small files and starts the
 * runtime, with no mount and no lock; native code is loaded only where a pipe has to be made.
 * @throws UserError NOT_RUNNING, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE, BAD_VALUE. `exit` rejects alike when only the
 * runtime sees that it cannot be run, with RUNTIME_FAILED else.
 */
export async function execInRunningContainer(
  containerDirectory: string,
  command: readonly string[],
  options: ExecOptions,
): Promise<Process> {
  const record = readRecord(containerDirectory);
  const init = readProcesses(containerDirectory)?.init;
  if (!record || !init || !isAlive(init)) throw notRunning();
  if (options.terminal) requireTerminal();
  try {
    const process = processFor(record, `/proc/${init.pid}/root`, command, options);
    return startExec(
      { record, init },
      process,
      await openStreams(
        options,
        `${dirname(record.runtimeRoot)}/pipe-${globalThis.process.pid}`,
        swapOwner(record.ids, process.user),
        options.logged ? await openLog(containerDirectory) : undefined,
      ),
    );
  } catch (error) {
    // What fuse-overlayfs served before it was killed, or until just now.
    if (['ENOTCONN', 'ECONNABORTED'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw new UserError('NOT_RUNNING', 'the container has lost its files: the program that served them is gone', {
        hint: 'devenv up',
        cause: error,
      });
    // It may have ended while we looked: then /proc answers as it likes. A process that is ending has no root, and still a state.
    if (error instanceof UserError || !isEnding(init)) throw error;
    throw notRunning(error);
  }
}

/** Only what is logged loads what writes logs. */
async function openLog(containerDirectory: string): Promise<OutputLog> {
  const { OutputLog: Log } = await import('./output-log.ts');
  return new Log(containerFiles(containerDirectory).log);
}

function notRunning(cause?: unknown): UserError {
  return new UserError('NOT_RUNNING', 'the container is not running', { hint: 'devenv up', cause });
}

/** What the runtime is asked to run: the container's own process with the differences. */
function processFor(record: ContainerRecord, root: string, command: readonly string[], options: ExecOptions): OciProcess {
  const own = record.process;
  const env = new Map(own.env.map((entry) => [entry.slice(0, entry.indexOf('=')), entry] as const));
  let user: User = { ...own.user, home: '/' };
  if (options.user !== undefined && options.user !== record.spec.user) {
    user = asHeld(lookUpUser(root, options.user));
    // The home that the container's variables name is another user's, unless the file itself declares it.
    if (!('HOME' in record.spec.env)) env.set('HOME', `HOME=${user.home}`);
  }
  if (options.terminal) addTerminal(env, root);
  for (const [name, value] of Object.entries(options.env ?? {})) env.set(name, `${name}=${value}`);
  const workdir = posix.resolve(own.cwd, options.workdir ?? '.');
  using place = find(root, workdir);
  if (!place?.stats.isDirectory()) throw new UserError('BAD_VALUE', `the directory ${workdir} does not exist in the environment`);
  checkWorkdir(place, workdir);
  checkCommand(command[0] ?? '', { root, path: env.get('PATH')?.slice('PATH='.length), workdir, user, ids: record.ids });
  return {
    ...own,
    terminal: options.terminal ?? false,
    user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids, umask: own.user.umask },
    args: command,
    env: [...env.values()],
    cwd: workdir,
    capabilities: processCapabilities(own.capabilities.bounding, user.uid),
  };
}

/** What the environment itself says is right, and one of these says all of the language (locale(7)). */
function addTerminal(env: Map<string, string>, root: string): void {
  const hasLanguage = ['LANG', 'LC_ALL', 'LC_CTYPE'].some((name) => env.has(name));
  for (const [name, value] of Object.entries(terminalVariables(root, globalThis.process.env)))
    if (!env.has(name) && !(name === 'LANG' && hasLanguage)) env.set(name, `${name}=${value}`);
}

interface Running {
  readonly record: ContainerRecord;
  readonly init: LivingProcess;
}

function startExec({ record, init }: Running, process: OciProcess, streams: Streams): Process {
  const runtime = { program: record.runtime, root: record.runtimeRoot };
  // Values of variables may be secret: they go through a file without a name, never through the arguments.
  const scratch = dirname(record.runtimeRoot);
  const definition = namelessFile(scratch, JSON.stringify(process));
  const log = namelessFile(scratch, '');
  const before = outOfMemoryCount(record.cgroup);
  const call = [
    runtime.program,
    ...runtimeArguments(runtime, '--log=/proc/self/fd/4', 'exec', '--process=/proc/self/fd/3', record.spec.id),
  ];
  const [program = '', ...args] = process.terminal ? endWithUs(call) : call;
  let hungUp = false;
  const child = start(
    program,
    args,
    // The keyboard's signals come from us alone: the runtime would pass them on a second time. A terminal is the runtime's to read.
    { stdio: [...streams.stdio, definition, log], env: runtimeEnvironment, detached: !process.terminal },
  );
  closeSync(definition);
  const { stdout, stderr, readers, failure: unwrittenBecause } = streams.started(child);
  const exit = new Promise<{ exitCode: number; oomKilled: boolean }>((resolve, reject) => {
    child.once('error', (error) => {
      closeSync(log);
      reject(new UserError('RUNTIME_FAILED', `${runtime.program} could not be started: ${error.message}`, { cause: error }));
    });
    const end = (code: number | null, signal: NodeJS.Signals | null): void => {
      const exitCode = hungUp ? exitCodeOf(null, 'SIGHUP') : exitCodeOf(code, signal);
      const failure = exitCode === 0 ? '' : readFileSync(`/proc/self/fd/${log}`, 'utf8').trim();
      closeSync(log);
      // A container that ends takes with it what is on its way in: the runtime says anything then, or 255 and nothing.
      if ((failure || exitCode === 255) && isEnding(init)) return reject(notRunning());
      if (failure) return reject(runtimeFailure(failure, process.args[0]!));
      const unwritten = unwrittenBecause();
      if (unwritten) return reject(outputFailure(unwritten));
      const after = exitCode === 137 && before !== undefined ? outOfMemoryCount(record.cgroup) : undefined;
      resolve({ exitCode, oomKilled: after !== undefined && after > before! });
    };
    if (readers.length > 0) child.once('exit', (code, signal) => void drained(readers).then(() => end(code, signal)));
    else child.once('exit', end);
  });
  exit.catch(() => {}); // whoever waits hears of it
  return {
    stdin: child.stdin,
    stdout,
    stderr,
    kill(signal) {
      hungUp ||= process.terminal && signal === 'SIGHUP';
      // With the runtime goes its end of the line: the kernel tells all who are at the other.
      if (hungUp) child.kill('SIGKILL');
      else signalCommand(child, signal);
    },
    end: () => endAll(child),
    resize: (columns, rows) => resizeTerminal(childrenOf(child.pid)[0], columns, rows),
    exit,
  };
}

/** Those of a terminal go to all that the command runs in the foreground (termios(3)), a supervisor's to the command itself. */
function signalCommand(runtime: ChildProcess, signal: NodeJS.Signals): void {
  const fromTerminal = new Set<NodeJS.Signals>(['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGSTOP', 'SIGCONT']);
  const [child] = childrenOf(runtime.pid);
  // The first ones are the runtime's own, on the way into the container: what they are sent is lost. It keeps what itself is sent.
  const command = child !== undefined && programOf(child) !== programOf(runtime.pid) ? child : undefined;
  const group = command === undefined ? undefined : groupOf(command);
  if (command !== undefined && signal === 'SIGKILL') signalAll([command], signal);
  else if (group !== undefined && group !== runtime.pid && fromTerminal.has(signal)) signalAll([-group], signal);
  else runtime.kill(signal); // it passes them on
}

function programOf(pid: number | undefined): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    return undefined; // it ended
  }
}

/** Its command, and what that started and did not set free; those that do not answer to SIGTERM after a moment are killed. */
async function endAll(child: ChildProcess): Promise<void> {
  const patience = 2000; // ms
  const all = descendantsOf(child.pid);
  signalAll(all, 'SIGTERM');
  for (const end = performance.now() + patience; all.some((pid) => existsSync(`/proc/${pid}/exe`)); await delay(20)) {
    if (performance.now() > end) return signalAll([...all, ...descendantsOf(child.pid)], 'SIGKILL');
  }
}

/** crun passes SIGWINCH on but not the size. The kernel tells whoever has the terminal inside. */
function resizeTerminal(pid: number | undefined, columns: number, rows: number): void {
  if (pid === undefined) return;
  start('stty', ['-F', `/proc/${pid}/fd/0`, 'rows', String(rows), 'cols', String(columns)], {
    stdio: 'ignore',
    env: runtimeEnvironment,
  }).on(
    'error',
    () => {}, // a size that stays as it was harms nobody
  );
}

/** What the command itself said has arrived. Something that it left running may keep a pipe open for ever: that is not waited for. */
async function drained(readers: readonly Socket[]): Promise<void> {
  const patience = 200; // ms; bytes that were written are there already
  const closed = readers.filter((reader) => !reader.closed).map((reader) => new Promise((resolve) => reader.once('close', resolve)));
  let timer: NodeJS.Timeout | undefined;
  const enough = new Promise((resolve) => (timer = setTimeout(resolve, patience)));
  await Promise.race([Promise.all(closed), enough]);
  clearTimeout(timer);
  for (const reader of readers) reader.unref();
}

function outputFailure(cause: NodeJS.ErrnoException): UserError {
  const isFull = cause.code === 'ENOSPC' || cause.code === 'EDQUOT';
  const reason = isFull ? 'there is no space left where it goes' : cause.message;
  return new UserError(isFull ? 'DISK_FULL' : 'NOT_WRITABLE', `what the command says cannot be written: ${reason}`, { cause });
}

/** The runtime's log names its failures; the command's own output is never in it. */
function runtimeFailure(text: string, command: string): UserError {
  const message = text.replace(/^\S+Z: /gm, '');
  if (/executable file .*not found|no such file or directory/i.test(message))
    return new UserError('COMMAND_NOT_FOUND', `${command}: ${message}`);
  if (/permission denied|exec format error/i.test(message)) return new UserError('COMMAND_NOT_EXECUTABLE', `${command}: ${message}`);
  if (/is not running|is stopped|does not exist/i.test(message)) return notRunning();
  return new UserError('RUNTIME_FAILED', `the command could not be started: ${message}`);
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      globalThis.process.kill(pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** proc_pid_task(5): each thread has its own. */
function childrenOf(pid: number | undefined): number[] {
  const threads = `/proc/${pid}/task`;
  if (!existsSync(threads)) return [];
  return readdirSync(threads)
    .flatMap((thread) => (readText(`${threads}/${thread}/children`) ?? '').split(' '))
    .filter(Boolean)
    .map(Number);
}

function descendantsOf(pid: number | undefined): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

let names = 0;

/** An open file that has no name any more: gone with its last user, whatever happens. */
function namelessFile(folder: string, text: string): number {
  const path = `${folder}/exec-${globalThis.process.pid}-${names++}`;
  const open = (): number => openSync(path, 'wx+', 0o600);
  let descriptor: number;
  try {
    descriptor = open();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    descriptor = open();
  }
  unlinkSync(path);
  if (text) writeSync(descriptor, text, 0);
  return descriptor;
}
