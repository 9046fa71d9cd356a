import type { Event } from '@devenv/core';
import { printableLine } from './printable.ts';

type TaskEvent = Extract<Event, { type: 'task' }>;

/** One task as far as its events tell. */
export interface Task {
  readonly id: string;
  /** Milliseconds on the renderer's clock. */
  readonly startedAt: number;
  last: TaskEvent;
  transfer: { readonly bytes: number; readonly total: number | undefined; readonly startedAt: number } | undefined;
  readonly output: OutputTail;
}

/** The tasks that have started and not ended, oldest first. */
export class Tasks {
  readonly running: Map<string, Task> = new Map();

  /** Returns the task that an event is about; undefined for a notice, and for output of a task nobody started. */
  apply(event: Event, now: number): Task | undefined {
    if (event.type === 'notice') return undefined;
    if (event.type === 'task') return this.#move(event, now);
    const task = this.running.get(event.id);
    if (!task) return undefined;
    if (event.type === 'output') task.output.add(event.text);
    else task.transfer = { bytes: event.bytes, total: event.total, startedAt: task.transfer?.startedAt ?? now };
    return task;
  }

  #move(event: TaskEvent, now: number): Task {
    const known = this.running.get(event.id);
    const task = known ?? { id: event.id, startedAt: now, last: event, transfer: undefined, output: new OutputTail() };
    // A task that waited tells its reason again when it runs; nothing it said before is lost.
    task.last = { ...known?.last, ...event };
    if (event.state === 'started' || event.state === 'waiting') this.running.set(event.id, task);
    else this.running.delete(event.id);
    return task;
  }
}

/** `[2/5] npm ci`, `[base] debian bookworm`, `container hello`. */
export function taskLabel({ last }: Task): string {
  const title = printableLine(last.title);
  if (last.number !== undefined) return `[${last.total === undefined ? last.number : `${last.number}/${last.total}`}] ${title}`;
  return title.startsWith(last.kind) ? title : `[${last.kind}] ${title}`;
}

/** Seconds it took, or has taken so far. */
export function taskSeconds({ last, startedAt }: Task, now: number): number {
  return last.seconds ?? (now - startedAt) / 1000;
}

const keptLines = 50;
const longestLine = 4096;

/** The last lines of a step's output, harmless to print. */
export class OutputTail {
  readonly #lines: string[] = [];
  #partial = '';

  add(text: string): readonly string[] {
    const parts = (this.#partial + text).split(/\r?\n/u);
    this.#partial = (parts.pop() ?? '').slice(-longestLine);
    const complete = parts.map((part) => printableLine(part.slice(0, longestLine)));
    this.#lines.push(...complete);
    this.#lines.splice(0, Math.max(0, this.#lines.length - keptLines));
    return complete;
  }

  /** The line that has not ended yet; empty when there is none. */
  rest(): string {
    return printableLine(this.#partial);
  }

  /** At most the last `count` lines, the unfinished one included. */
  last(count: number = keptLines): readonly string[] {
    const partial = this.rest();
    const lines = partial === '' ? this.#lines : [...this.#lines, partial];
    return lines.slice(Math.max(0, lines.length - count));
  }
}
