import { createHash } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { directories } from '../packages/core/src/base/directories.ts';
import { diskStore } from '../packages/core/src/store/disk-store.ts';
import { formatFileList, listFiles } from '../packages/core/src/store/file-list.ts';
import type { LayerId, LayerInfo, StepRecord } from '../packages/core/src/store/layer-store.ts';
import { launcher, runProcess, traces, type Result } from './rig.ts';

/** Numbers that are the same for the same seed (mulberry32): what a failing run did can be done again. */
export class Chance {
  private state: number;

  constructor(seed: number) {
    this.state = seed;
  }

  /** 0 to `below`, a fraction. */
  number(below: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below;
  }

  pick<T>(values: readonly T[]): T {
    return values[Math.floor(this.number(values.length))]!;
  }
}

/** The seed of this run, printed so that DEVENV_TEST_SEED repeats it. */
export function seedOf(test: string): number {
  const seed = Number(process.env['DEVENV_TEST_SEED'] ?? Date.now() % 1_000_000);
  console.log(`${test}: DEVENV_TEST_SEED=${seed}`);
  return seed;
}

/** A normal user may neither mount nor make a pid namespace, and sees the owners in their own store as others than it does. */
export const isRoot: boolean = process.getuid!() === 0;

export const isFull: boolean = process.env['DEVENV_TEST_FULL'] === '1';

/** A machine of its own with an empty store. */
export class Machine implements AsyncDisposable {
  /** In memory: a kill is a kill on any file system, and on a busy disk each commit waits for what others write. */
  readonly base: string;

  constructor(parent: string = existsSync('/dev/shm') ? '/dev/shm' : realpathSync(tmpdir())) {
    this.base = mkdtempSync(join(parent, 'devenv-crash-'));
  }

  get env(): Record<string, string> {
    return { PATH: process.env['PATH']!, HOME: join(this.base, 'home'), LANG: 'C.UTF-8', DEVENV_BASE_DIR: this.base };
  }

  path(...names: string[]): string {
    return join(this.base, ...names);
  }

  names(...folder: string[]): string[] {
    try {
      return readdirSync(this.path(...folder));
    } catch {
      return []; // not yet, or no longer
    }
  }

  run(args: readonly string[], cwd: string): Promise<Omit<Result, 'json'>> {
    return runProcess(launcher, args, { cwd, env: this.env });
  }

  async ok(args: readonly string[], cwd: string): Promise<string> {
    const { exitCode, stdout, stderr } = await this.run(args, cwd);
    if (exitCode !== 0) throw new Error(`devenv ${args.join(' ')} ended with ${exitCode}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** All processes of one run of the machine, in a pid namespace: they end at once with its first, and the next run gives the same pids again. */
  async oneRun(script: string, cwd: string): Promise<string> {
    const inside = ['--pid', '--fork', '--kill-child', '--mount-proc', '--', 'sh', '-c', script, 'sh', launcher];
    const { exitCode, stdout, stderr } = await runProcess('unshare', inside, { cwd, env: this.env });
    if (exitCode !== 0) throw new Error(`${script} ended with ${exitCode}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** What a start of the machine takes away: all in /run, and control groups. */
  forgetRun(): void {
    rmSync(this.path('runtime'), { recursive: true, force: true });
    for (const group of cgroupsOf(this.base)) rmdirSync(join('/sys/fs/cgroup', group.slice('cgroup '.length)));
  }

  start(args: readonly string[], cwd: string): Running {
    return new Running(spawn(launcher, args, { cwd, env: this.env, stdio: ['ignore', 'pipe', 'pipe'] }));
  }

  /** Processes that one of the programs started here, told by their arguments: executables have other names (passt.avx2) or none (crun copies itself). */
  processes(program: string): Identified[] {
    return readdirSync('/proc').flatMap((name) => {
      try {
        const command = /^\d+$/.test(name) ? readFileSync(`/proc/${name}/cmdline`, 'utf8') : '';
        const isIt = basename(command.split('\0')[0]!) === program && command.includes(this.base);
        return isIt ? [{ pid: Number(name), startTime: startTimeOf(Number(name)), command: command.replaceAll('\0', ' ') }] : [];
      } catch {
        return []; // it ended while we looked
      }
    });
  }

  /** What a machine on which nothing runs must not have. */
  leftovers(): string[] {
    const inside = [
      'data/drafts',
      'data/containers',
      'data/trash',
      'data/volumes',
      'data/volume-drafts',
      'data/volume-ids',
      'data/swapped-layer-drafts',
      'runtime/builds',
      'runtime/crun',
    ].flatMap((folder) => this.names(folder).map((name) => `${folder}/${name}`));
    const runtime = this.names('runtime')
      .filter((name) => /^(exec|pipe|probe)-/.test(name))
      .map((name) => `runtime/${name}`);
    return [...traces(this.base), ...cgroupsOf(this.base), ...inside, ...runtime, ...halves(this.base)];
  }

  /** Every layer, reference and key of the store against what is on the disk. */
  problems(): string[] {
    const problems: string[] = [];
    const layers = new Set(this.names('data/layers'));
    for (const id of layers) {
      const info = json<LayerInfo>(this.path('data/layer-info', `${id}.json`));
      if (info?.id !== id) problems.push(`layer ${id} has no record`);
      if (info?.parent !== undefined && !layers.has(info.parent)) problems.push(`layer ${id} stands on ${info.parent}, which is gone`);
      const list = this.path('data/layer-info', `${id}.files`);
      if (!existsSync(list) || formatFileList(listFiles(this.path('data/layers', id))) !== readFileSync(list, 'utf8'))
        problems.push(`layer ${id} is not what its list says`);
    }
    for (const name of this.names('data/layer-info'))
      if (!layers.has(name.split('.')[0]!)) problems.push(`layer-info/${name} without a layer`);
    for (const name of this.names('data/step-keys'))
      if (!layers.has(json<StepRecord>(this.path('data/step-keys', name))?.layer ?? '')) problems.push(`step-keys/${name} without a layer`);
    for (const name of this.names('data/chains'))
      if (!layers.has(json<{ layer: string }>(this.path('data/chains', name))?.layer ?? ''))
        problems.push(`chains/${name} without a layer`);
    return problems;
  }

  /** What each step gave, as it would be on every machine: step key to diffId. */
  async diffIds(): Promise<Map<string, string>> {
    const store = diskStore(directories({ DEVENV_BASE_DIR: this.base }, 0));
    const found = new Map<string, string>();
    for (const { key, layer } of await store.all()) found.set(key, (await store.open(layer)).diffId);
    return found;
  }

  /** Layer by layer, also those that no key names any more. */
  layers(): LayerId[] {
    return this.names('data/layers') as LayerId[];
  }

  /** Ends what is left and removes all, without devenv's help. */
  async clear(): Promise<void> {
    for (const trace of traces(this.base)) {
      // Not who only sees a mount of ours, as everybody does of what is mounted for the whole machine.
      const pid = Number(/^process (\d+)/.exec(trace)?.[1]);
      if (pid > 1) process.kill(pid, 'SIGKILL');
    }
    await delay(200);
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.base, { recursive: true, force: true });
  }
}

export interface Identified {
  readonly pid: number;
  readonly startTime: string;
  readonly command: string;
}

/** A command that was started and may be killed. */
export class Running {
  readonly ended: Promise<void>;
  output = '';
  hasEnded = false;
  exitCode: number | undefined;
  private readonly child: ChildProcess;

  constructor(child: ChildProcess) {
    this.child = child;
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    // What lives on (conmon, a step) has our pipes no more than a shell's: the end is the process', not the pipes'.
    this.ended = new Promise((resolve) =>
      child.once('exit', (code) => {
        this.hasEnded = true;
        this.exitCode = code ?? 137;
        resolve();
      }),
    );
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Polls as fast as it can: what is waited for may last a millisecond. False when the command ended before. */
  async until(moment: () => boolean): Promise<boolean> {
    while (!this.hasEnded) {
      if (moment()) return true;
      await setImmediate();
    }
    return false;
  }

  /** False when it has ended already. The pid is ours until we have heard of its end. */
  kill(): boolean {
    return !this.hasEnded && this.child.kill('SIGKILL');
  }

  async endedWithin(seconds: number): Promise<boolean> {
    await Promise.race([this.ended, delay(seconds * 1000)]);
    return this.hasEnded;
  }
}

/** False when it was gone already, or its number is another's by now. */
export function kill(target: Identified): boolean {
  try {
    return startTimeOf(target.pid) === target.startTime && process.kill(target.pid, 'SIGKILL');
  } catch {
    return false;
  }
}

/** Waits in steps of the event loop: timers are too coarse for some moments. */
export async function pause(milliseconds: number): Promise<void> {
  if (milliseconds > 5) return delay(milliseconds);
  for (const end = performance.now() + milliseconds; performance.now() < end;) await setImmediate();
}

function startTimeOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]!;
}

function cgroupsOf(base: string): string[] {
  const own = `devenv-${hash(join(base, 'data')).slice(0, 8)}-`;
  return ['', ...readdirSync('/sys/fs/cgroup')].flatMap((folder) => {
    try {
      return readdirSync(join('/sys/fs/cgroup', folder))
        .filter((name) => name.startsWith(own))
        .map((name) => `cgroup ${folder}/${name}`);
    } catch {
      return [];
    }
  });
}

/** Files that were being written. */
function halves(base: string): string[] {
  return ['data', 'state', 'runtime'].flatMap((top) => walk(join(base, top)).filter((path) => /\.(tmp|new|old)$/.test(path)));
}

function walk(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    const isContent = /\/data\/(layers|containers)$/.test(folder);
    return entry.isDirectory() && !isContent ? [path, ...walk(path)] : [path];
  });
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function json<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T;
  } catch {
    return undefined;
  }
}
