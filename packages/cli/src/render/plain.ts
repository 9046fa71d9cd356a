import { painter, type Paint } from './color.ts';
import { bytes, duration } from './format.ts';
import { printable, printableLine } from './printable.ts';
import type { Renderer, RendererOptions } from './renderer.ts';
import { taskLabel, Tasks, taskSeconds, type Task } from './tasks.ts';

const heartbeatMilliseconds = 5000;

/** For pipes and logs: a line when a task starts and one when it ends; after five silent seconds, what still runs. */
export function plainRenderer(options: RendererOptions, clock: () => number = () => performance.now()): Renderer {
  const paint = painter(options.color);
  const tasks = new Tasks();
  const startedAt = clock();
  const write = (line: string): void => {
    options.stream.write(`${line}\n`);
    heartbeat.refresh();
  };
  const heartbeat = setTimeout(() => {
    const now = clock();
    for (const task of tasks.running.values())
      write(
        `${taskLabel(task)} … still ${task.last.state === 'waiting' ? 'waiting' : 'running'} (${duration((now - task.startedAt) / 1000)})${transferred(task)}`,
      );
    if (tasks.running.size === 0 && !options.interactive) write(`… still working (${duration((now - startedAt) / 1000)})`);
    heartbeat.refresh();
  }, heartbeatMilliseconds).unref();
  return {
    event(event) {
      if (event.type === 'output') {
        const task = tasks.running.get(event.id);
        const lines = task?.output.add(event.text) ?? [];
        if (task && options.verbose) for (const line of lines) write(`${taskLabel(task)} | ${line}`);
        return;
      }
      const task = tasks.apply(event, clock());
      if (event.type === 'notice') for (const line of noticeLines(event, paint)) write(line);
      if (event.type === 'task' && task) for (const line of taskLines(task, clock(), options.stopping(), paint)) write(line);
    },
    print: write,
    close: () => clearTimeout(heartbeat),
  };
}

/** Warnings, and the output of what failed: nothing else. */
export function quietRenderer(options: RendererOptions, clock: () => number = () => performance.now()): Renderer {
  const paint = painter(options.color);
  const tasks = new Tasks();
  const write = (line: string): void => void options.stream.write(`${line}\n`);
  return {
    event(event) {
      const task = tasks.apply(event, clock());
      if (event.type === 'notice' && event.level === 'warning') for (const line of noticeLines(event, paint)) write(line);
      if (task && event.type === 'task' && event.state === 'failed' && !options.stopping())
        for (const line of taskLines(task, clock(), false, paint)) write(line);
    },
    print: write,
    close() {},
  };
}

/** What there is to say about a task in the state it has come to; first a line of its own. */
export function taskLines(task: Task, now: number, stopping: boolean, paint: Paint): readonly string[] {
  const { state } = task.last;
  if (state === 'started') return [`${taskLabel(task)}${detail(task)}`];
  if (state === 'waiting') return [`${taskLabel(task)} waits${detail(task)}`];
  if (state === 'cached') return [`${taskLabel(task)} ${paint('cyan', 'CACHED')}`];
  const seconds = duration(taskSeconds(task, now));
  if (state === 'done') return [`${taskLabel(task)} ${paint('green', 'done')} ${seconds}`];
  if (stopping) return [`${taskLabel(task)} stopped ${seconds}`];
  return [`${taskLabel(task)} ${paint('red', 'failed')} ${seconds}`, ...failureLines(task, paint)];
}

/** What the failing step said last, set off from our own lines. */
export function failureLines(task: Task, paint: Paint): readonly string[] {
  return task.output.last().map((line) => `${paint('dim', '  │')} ${line}`);
}

export function noticeLines(
  notice: { readonly level: 'info' | 'warning'; readonly message: string; readonly hint?: string },
  paint: Paint,
): readonly string[] {
  const message = printable(notice.message);
  const lines = [notice.level === 'warning' ? `${paint('yellow', 'Warning:')} ${message}` : message];
  if (notice.hint) lines.push(`Hint: ${printable(notice.hint)}`);
  return lines;
}

function detail({ last }: Task): string {
  const text = printableLine(last.detail ?? '');
  return text && ` (${text})`;
}

/** `, 3 MB of 12 MB`, or nothing. */
export function transferred({ transfer }: Task): string {
  if (!transfer) return '';
  return `, ${bytes(transfer.bytes)}${transfer.total === undefined ? '' : ` of ${bytes(transfer.total)}`}`;
}
