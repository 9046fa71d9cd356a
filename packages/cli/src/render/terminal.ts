import { createLogUpdate } from 'log-update';
import sliceAnsi from 'slice-ansi';
import stringWidth from 'string-width';
import { painter, type Paint } from './color.ts';
import { bytes, duration } from './format.ts';
import { failureLines, noticeLines } from './plain.ts';
import { printableLine } from './printable.ts';
import type { Renderer, RendererOptions } from './renderer.ts';
import { taskLabel, Tasks, taskSeconds, type Task } from './tasks.ts';

const frameMilliseconds = 100;
const idleMilliseconds = 1000;
const tailLines = 5;
const hideCursor = '\u001B[?25l';
const showCursor = '\u001B[?25h';

/** For people at a terminal: what runs is drawn in place, what has ended scrolls up as one line. */
export function terminalRenderer(options: RendererOptions, clock: () => number = () => performance.now()): Renderer {
  const { stream } = options;
  const paint = painter(options.color);
  const tasks = new Tasks();
  // log-update's own hiding of the cursor listens for signals, which belong to the command line.
  const draw = createLogUpdate(stream, { showCursor: true });
  const restoreCursor = (): void => void stream.write(showCursor);
  let idleSince = clock();
  let hidden = false;
  let drawn = false;
  const redraw = (): void => {
    const now = clock();
    const lines = frame({
      tasks: [...tasks.running.values()],
      idleSince: options.interactive ? undefined : idleSince,
      now,
      columns: stream.columns || 80,
      rows: stream.rows || 24,
      paint,
    });
    if (lines.length === 0) return erase();
    if (!hidden) {
      stream.write(hideCursor);
      process.once('exit', restoreCursor);
      hidden = true;
    }
    drawn = true;
    draw(lines.join('\n'));
  };
  const erase = (): void => {
    if (drawn) draw.clear();
    drawn = false;
    if (!hidden) return;
    hidden = false;
    process.off('exit', restoreCursor);
    restoreCursor();
  };
  const scroll = (lines: readonly string[]): void => {
    if (lines.length === 0) return;
    if (drawn) draw.clear();
    drawn = false;
    stream.write(`${lines.join('\n')}\n`);
  };
  const timer = setInterval(redraw, frameMilliseconds).unref();
  return {
    event(event) {
      const now = clock();
      const task = tasks.apply(event, now);
      if (event.type === 'notice') scroll(noticeLines(event, paint));
      if (event.type !== 'task' || !task) return;
      scroll(endLines(task, { now, columns: stream.columns || 80, stopping: options.stopping(), paint }));
      idleSince = now;
      redraw();
    },
    print(text) {
      scroll([text]);
      redraw();
    },
    close() {
      clearInterval(timer);
      erase();
    },
  };
}

export interface FrameOptions {
  readonly tasks: readonly Task[];
  /** Since when nothing runs; undefined: that is not worth a line. */
  readonly idleSince: number | undefined;
  readonly now: number;
  readonly columns: number;
  readonly rows: number;
  readonly paint: Paint;
}

/** The lines that change in place: never wider than the terminal, never as high as it. */
export function frame({ tasks, idleSince, now, columns, rows, paint }: FrameOptions): readonly string[] {
  const spinner = paint('cyan', spinnerFrames[Math.floor(now / frameMilliseconds) % spinnerFrames.length] ?? '');
  if (tasks.length === 0) {
    if (idleSince === undefined || now - idleSince < idleMilliseconds) return [];
    return [truncated(`${spinner} working  ${paint('dim', duration((now - idleSince) / 1000))}`, columns)];
  }
  const room = Math.max(1, rows - 2);
  const shown = tasks.slice(-room);
  const tail = Math.min(tailLines, Math.floor((room - shown.length) / shown.length));
  return shown.flatMap((task) => [
    truncated(`${spinner} ${runningLine(task, now, paint)}`, columns),
    ...task.output.last(tail).map((line) => truncated(paint('dim', `  │ ${line}`), columns)),
  ]);
}

const spinnerFrames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

function runningLine(task: Task, now: number, paint: Paint): string {
  const { last, transfer } = task;
  const parts = [taskLabel(task), paint('dim', duration((now - task.startedAt) / 1000))];
  if (transfer) parts.push(transferText(transfer, now));
  if (last.detail) parts.push(paint('dim', `${last.state === 'waiting' ? 'waits: ' : ''}${printableLine(last.detail)}`));
  return parts.join('  ');
}

function transferText(transfer: NonNullable<Task['transfer']>, now: number): string {
  const seconds = (now - transfer.startedAt) / 1000;
  const amount = transfer.total === undefined ? bytes(transfer.bytes) : `${bytes(transfer.bytes)} / ${bytes(transfer.total)}`;
  return seconds < 0.5 ? amount : `${amount}  ${bytes(transfer.bytes / seconds)}/s`;
}

function endLines(
  task: Task,
  { now, columns, stopping, paint }: Pick<FrameOptions, 'now' | 'columns' | 'paint'> & { readonly stopping: boolean },
): readonly string[] {
  const { state } = task.last;
  if (state === 'started' || state === 'waiting') return [];
  const mark = state !== 'failed' ? paint('green', '✓') : stopping ? paint('yellow', '■') : paint('red', '✗');
  const end = state === 'cached' ? paint('cyan', 'CACHED') : paint('dim', duration(taskSeconds(task, now)));
  return [truncated(`${mark} ${taskLabel(task)}  ${end}`, columns), ...(state === 'failed' && !stopping ? failureLines(task, paint) : [])];
}

function truncated(line: string, columns: number): string {
  return stringWidth(line) < columns ? line : `${sliceAnsi(line, 0, Math.max(0, columns - 2))}…`;
}
