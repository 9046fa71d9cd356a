import { PassThrough } from 'node:stream';
import stringWidth from 'string-width';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { painter } from './color.ts';
import { Tasks } from './tasks.ts';
import { frame, terminalRenderer } from './terminal.ts';

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

const step = { type: 'task', id: '2', kind: 'step', title: 'npm ci', number: 2, total: 3 } as const;
const common = { idleSince: 0, columns: 60, rows: 24, paint: painter(false) };

test('running tasks show elapsed time, bytes and rate, the reason, and the last lines of output', () => {
  const tasks = new Tasks();
  tasks.apply({ type: 'task', id: 'b', kind: 'base', title: 'node:24', state: 'started' }, 0);
  tasks.apply({ type: 'transfer', id: 'b', bytes: 0, total: 45_000_000 }, 1000);
  tasks.apply({ type: 'transfer', id: 'b', bytes: 12_300_000, total: 45_000_000 }, 4000);
  tasks.apply({ ...step, state: 'started', detail: 'package-lock.json changed' }, 2000);
  for (let line = 1; line <= 9; line += 1) tasks.apply({ type: 'output', id: '2', text: `line ${line}\n` }, 3000);
  tasks.apply({ type: 'task', id: 'w', kind: 'step', title: 'make', state: 'waiting', detail: 'another devenv makes it' }, 3500);
  expect(frame({ ...common, tasks: [...tasks.running.values()], now: 4000 }).join('\n')).toMatchInlineSnapshot(`
    "⠋ [base] node:24  4.0 s  12.3 MB / 45.0 MB  4.1 MB/s
    ⠋ [2/3] npm ci  2.0 s  package-lock.json changed
      │ line 5
      │ line 6
      │ line 7
      │ line 8
      │ line 9
    ⠋ [step] make  0.5 s  waits: another devenv makes it"
  `);
});

test('no frame is wider or higher than the terminal', () => {
  const tasks = new Tasks();
  for (let id = 0; id < 12; id += 1) {
    tasks.apply({ ...step, id: String(id), title: '宽字符'.repeat(20), state: 'started' }, 0);
    tasks.apply({ type: 'output', id: String(id), text: `${'x'.repeat(200)}\n`.repeat(9) }, 0);
  }
  for (const [columns, rows] of [
    [40, 10],
    [20, 3],
    [80, 30],
    [5, 1],
  ] as const) {
    const lines = frame({ ...common, columns, rows, paint: painter(true), tasks: [...tasks.running.values()], now: 1000 });
    expect(lines.length).toBeLessThanOrEqual(Math.max(1, rows - 2));
    for (const line of lines) expect(stringWidth(line)).toBeLessThan(columns);
  }
});

test('a command that works without a task says so after a second', () => {
  expect(frame({ ...common, tasks: [], now: 900 })).toEqual([]);
  expect(frame({ ...common, tasks: [], now: 2500 })).toEqual(['⠴ working  2.5 s']);
  expect(frame({ ...common, tasks: [], idleSince: undefined, now: 2500 })).toEqual([]);
});

test('what has ended scrolls up as one line, and the terminal is left as it was found', () => {
  const screen = new Screen();
  const renderer = terminalRenderer({ color: false, verbose: false, interactive: false, stream: screen, stopping: () => false }, () =>
    Date.now(),
  );
  renderer.event({ type: 'notice', level: 'info', message: 'Uses the certificates of the host.' });
  renderer.event({ type: 'task', id: 'b', kind: 'base', title: 'node:24', state: 'started' });
  vi.advanceTimersByTime(300);
  expect(screen.lines).toEqual(['Uses the certificates of the host.', '⠸ [base] node:24  0.3 s']);
  expect(screen.cursor).toBe('hidden');
  renderer.event({ type: 'task', id: 'b', kind: 'base', title: 'node:24', state: 'done', seconds: 0.3 });
  renderer.event({ ...step, id: '1', number: 1, title: 'apt git', state: 'cached' });
  renderer.event({ ...step, state: 'started' });
  renderer.event({ type: 'output', id: '2', text: 'fetching\n' });
  vi.advanceTimersByTime(1000);
  renderer.print('Stopping…');
  renderer.event({ ...step, state: 'failed', seconds: 1 });
  renderer.close();
  expect(screen.lines).toEqual([
    'Uses the certificates of the host.',
    '✓ [base] node:24  0.3 s',
    '✓ [1/3] apt git  CACHED',
    'Stopping…',
    '✗ [2/3] npm ci  1.0 s',
    '  │ fetching',
  ]);
  expect(screen.cursor).toBe('shown');
  expect(process.listenerCount('SIGINT')).toBe(0);
});

/** As much of a terminal as log-update's sequences need: cursor up, erase line, column one, newline. */
class Screen extends PassThrough {
  readonly columns = 60;
  readonly rows = 24;
  cursor = 'shown';
  #lines: string[] = [''];
  #row = 0;

  get lines(): string[] {
    return this.#lines.slice(0, this.#lines.findLastIndex((line) => line !== '') + 1);
  }

  override write(chunk: unknown): boolean {
    // oxlint-disable-next-line no-control-regex
    for (const [token] of String(chunk).matchAll(/\u001B\[\??\d*[A-Za-z]|\n|[^\u001B\n]+/gu)) this.#apply(token);
    return true;
  }

  #apply(token: string): void {
    const count = Number(/\d+/u.exec(token)?.[0] ?? 1);
    if (token === '\n') this.#row += 1;
    else if (token === '\u001B[?25l') this.cursor = 'hidden';
    else if (token === '\u001B[?25h') this.cursor = 'shown';
    else if (token.startsWith('\u001B') && token.endsWith('A')) this.#row -= count;
    else if (token.startsWith('\u001B') && token.endsWith('B')) this.#row += count;
    else if (token === '\u001B[2K') this.#lines[this.#row] = '';
    else if (!token.startsWith('\u001B')) this.#lines[this.#row] = (this.#lines[this.#row] ?? '') + token;
    this.#lines[this.#row] ??= '';
  }
}
