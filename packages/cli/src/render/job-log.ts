import { painter } from './color.ts';
import { duration } from './format.ts';
import { noticeLines, taskLines, transferred } from './plain.ts';
import type { Renderer, RendererOptions } from './renderer.ts';
import { taskLabel, Tasks, type Task } from './tasks.ts';

/** How one system's job log is written: parts that fold, one at a time, with what others wrote inside. */
export interface JobLog {
  open(title: string): void;
  close(): void;
  /** A line that a step wrote: whatever it says, the system must not obey it. */
  output(line: string): void;
  /** A line of ours, which may quote a step. */
  text(line: string): void;
  /** Parts are folded when the job has ended: what failed must stand outside too. */
  readonly folds: boolean;
}

/** A task whose part is open or waits to be written. */
interface Part {
  readonly task: Task;
  /** What it said while another part was open. */
  readonly held: string[];
  /** What stands after its part; undefined: it runs. */
  end: readonly string[] | undefined;
}

const heartbeatMilliseconds = 5000;

/**
 * For job logs of continuous integration, which are all that is left afterwards: a part for each task that runs, with its
 * output as it comes. Parts cannot nest: what runs beside the open one is held until that has ended.
 */
export function jobLogRenderer(options: RendererOptions, log: JobLog, clock: () => number = () => performance.now()): Renderer {
  const paint = painter(options.color);
  const tasks = new Tasks();
  const parts: Part[] = [];
  const text = (line: string): void => {
    log.text(line);
    heartbeat.refresh();
  };
  const heartbeat = setTimeout(() => {
    const now = clock();
    for (const task of tasks.running.values())
      log.text(
        `${taskLabel(task)} … still ${task.last.state === 'waiting' ? 'waiting' : 'running'}${since(task, now)}${transferred(task)}`,
      );
    heartbeat.refresh();
  }, heartbeatMilliseconds).unref();

  const begin = (part: Part): void => {
    log.open(taskLines({ ...part.task, last: { ...part.task.last, state: 'started' } }, clock(), false, paint)[0]!);
    for (const line of part.held.splice(0)) log.output(line);
  };
  const finish = (part: Part): void => {
    const unfinished = part.task.output.rest();
    if (unfinished) log.output(unfinished);
    log.close();
    const [first, ...more] = part.end!;
    text(first!);
    if (log.folds) for (const line of more) text(line);
  };
  const advance = (): void => {
    for (let first = parts[0]; first?.end; first = parts[0]) {
      finish(first);
      parts.shift();
      if (parts[0]) begin(parts[0]);
    }
  };
  const move = (task: Task): void => {
    const known = parts.find((part) => part.task === task);
    const lines = taskLines(task, clock(), options.stopping(), paint);
    if (task.last.state === 'started' && !known) {
      const part: Part = { task, held: [], end: undefined };
      parts.push(part);
      if (parts.length === 1) begin(part);
    } else if (known && task.last.state !== 'started' && task.last.state !== 'waiting') {
      known.end = lines;
      advance();
    } else if (!known) {
      for (const line of lines) text(line);
    }
    heartbeat.refresh();
  };

  return {
    event(event) {
      if (event.type === 'output') {
        const task = tasks.running.get(event.id);
        const lines = task?.output.add(event.text) ?? [];
        const part = parts.find((candidate) => candidate.task === task);
        if (part && part === parts[0]) for (const line of lines) log.output(line);
        else part?.held.push(...lines);
        if (lines.length > 0) heartbeat.refresh();
        return;
      }
      const task = tasks.apply(event, clock());
      if (event.type === 'notice') for (const line of noticeLines(event, paint).flatMap((lines) => lines.split('\n'))) text(line);
      if (event.type === 'task' && task) move(task);
    },
    print: (lines) => lines.split('\n').forEach(text),
    close() {
      clearTimeout(heartbeat);
      if (parts.length > 0) log.close();
    },
  };
}

function since(task: Task, now: number): string {
  return ` (${duration((now - task.startedAt) / 1000)})`;
}
