import { readFileSync } from 'node:fs';
import { readText } from '../../base/files.ts';

/** One process of one run of the machine: a pid alone is given to others later. */
export interface LivingProcess {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  readonly startTime: string;
  readonly bootId: string;
}

export class NoSuchProcess extends Error {}

/** @throws NoSuchProcess */
export function identify(pid: number): LivingProcess {
  const startTime = startTimeOf(pid);
  if (startTime === undefined) throw new NoSuchProcess(`no process ${pid}`);
  return { pid, startTime, bootId: bootId() };
}

/** Whether this very process still runs; one that only waits to be reaped does not. */
export function isAlive(known: LivingProcess | undefined): boolean {
  return known !== undefined && known.bootId === bootId() && startTimeOf(known.pid) === known.startTime;
}

/** Whether nothing new can run beside it any more: it is on its way out, maybe waiting for others, or has been killed and does not know yet. */
export function isEnding(known: LivingProcess): boolean {
  const exiting = 0x4; // PF_EXITING
  return !isAlive(known) || (Number(readStat(known.pid)?.[6]) & exiting) !== 0 || isKilled(known.pid);
}

/** Whether SIGKILL is pending: proc_pid_status(5). */
function isKilled(pid: number): boolean {
  try {
    const pending = readText(`/proc/${pid}/status`)?.match(/^(?:SigPnd|ShdPnd):\s*([0-9a-f]+)$/gm) ?? [];
    return pending.some((line) => (Number.parseInt(line.slice(-4), 16) & (1 << 8)) !== 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return true; // it ended while we read
    throw error;
  }
}

/** Sends the signal when the process is still that one. */
export function signalProcess(target: LivingProcess | undefined, signal: NodeJS.Signals | number): void {
  if (!target || !isAlive(target)) return;
  try {
    process.kill(target.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

let ownBootId: string | undefined;

export function bootId(): string {
  return (ownBootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
}

/** Its process group; undefined when there is no such process. */
export function groupOf(pid: number): number | undefined {
  const group = readStat(pid)?.[2];
  return group === undefined ? undefined : Number(group);
}

/** Whether another process group than ours has our terminal. */
export function isInBackground(): boolean {
  const fields = readStat(process.pid);
  return fields?.[5] !== '-1' && fields?.[2] !== fields?.[5];
}

function startTimeOf(pid: number): string | undefined {
  const fields = readStat(pid);
  return fields?.[0] === 'Z' || fields?.[0] === 'X' ? undefined : fields?.[19];
}

/** /proc/PID/stat (proc_pid_stat(5)) from the state, its field 3, on. */
function readStat(pid: number): readonly string[] | undefined {
  try {
    const text = readText(`/proc/${pid}/stat`);
    return text ? text.slice(text.lastIndexOf(')') + 2).split(' ') : undefined; // the name before may hold anything
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return undefined; // it ended while we read
    throw error;
  }
}
