import { PassThrough } from 'node:stream';
import type { Event } from '@devenv/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { plainRenderer, quietRenderer } from './plain.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const step = { type: 'task', id: '2', kind: 'step', title: 'npm ci', number: 2, total: 3 } as const;

test('a line when a task starts and one when it ends', () => {
  const { event, text } = plain();
  event({ type: 'notice', level: 'warning', message: 'The clock is wrong.', hint: 'Set it.' });
  event({ type: 'task', id: 'b', kind: 'base', title: 'debian bookworm', state: 'cached', seconds: 31 });
  event({ ...step, state: 'waiting', detail: 'another devenv makes it' });
  event({ ...step, state: 'started', detail: 'package-lock.json changed' });
  event({ type: 'output', id: '2', text: 'added 120 packages\n' });
  event({ ...step, state: 'done', seconds: 14.2 });
  expect(text()).toMatchInlineSnapshot(`
    "Warning: The clock is wrong.
    Hint: Set it.
    [base] debian bookworm CACHED
    [2/3] npm ci waits (another devenv makes it)
    [2/3] npm ci (package-lock.json changed)
    [2/3] npm ci done 14 s
    "
  `);
});

test('it is never silent for more than five seconds', () => {
  const { event, text } = plain();
  vi.advanceTimersByTime(5000);
  event({ ...step, state: 'started' });
  event({ type: 'transfer', id: '2', bytes: 12_300_000, total: 45_000_000 });
  vi.advanceTimersByTime(12_000);
  event({ ...step, state: 'done' });
  expect(text()).toMatchInlineSnapshot(`
    "… still working (5.0 s)
    [2/3] npm ci
    [2/3] npm ci … still running (5.0 s), 12.3 MB of 45.0 MB
    [2/3] npm ci … still running (10 s), 12.3 MB of 45.0 MB
    [2/3] npm ci done 12 s
    "
  `);
});

test('while a command of the user runs it says nothing', () => {
  const { text } = plain({ interactive: true });
  vi.advanceTimersByTime(60_000);
  expect(text()).toBe('');
});

test('a failed step shows its last 50 lines', () => {
  const { event, text } = plain();
  event({ ...step, state: 'started' });
  for (let line = 1; line <= 60; line += 1) event({ type: 'output', id: '2', text: `line ${line}\n` });
  event({ type: 'output', id: '2', text: 'no newline at the end' });
  event({ ...step, state: 'failed', seconds: 3 });
  expect(text().split('\n').slice(1, 3)).toEqual(['[2/3] npm ci failed 3.0 s', '  │ line 12']);
  expect(text().split('\n').slice(-3)).toEqual(['  │ line 60', '  │ no newline at the end', '']);
});

test('what fails after the user asked to stop is not told as a failure', () => {
  const { event, text } = plain({ stopping: () => true });
  event({ ...step, state: 'started' });
  event({ type: 'output', id: '2', text: 'received signal INT\n' });
  event({ ...step, state: 'failed', seconds: 3 });
  expect(text()).toBe('[2/3] npm ci\n[2/3] npm ci stopped 3.0 s\n');
});

test('--verbose shows the output of steps as it comes, in whole lines', () => {
  const { event, text } = plain({ verbose: true });
  event({ ...step, state: 'started' });
  event({ type: 'output', id: '2', text: 'one\ntw' });
  event({ type: 'output', id: '2', text: 'o\n' });
  expect(text()).toBe('[2/3] npm ci\n[2/3] npm ci | one\n[2/3] npm ci | two\n');
});

test('nothing that comes from outside can steer the terminal', () => {
  const { event, text } = plain({ verbose: true });
  event({ type: 'task', id: 'x', kind: 'step', title: 'a\u001B[2Jb\nc\u202E', state: 'started', detail: '\u0007\u009B2J' });
  event({ type: 'output', id: 'x', text: '10%\r20%\r\u001B]0;title\u0007done\u001B[31m red\b\b\n' });
  event({ type: 'output', id: 'x', text: 'cut \u001B' });
  event({ type: 'output', id: 'x', text: '[2J here\r\n' });
  event({ type: 'notice', level: 'info', message: 'x\u001B[Hy' });
  expect(text()).toMatchInlineSnapshot(`
    "[step] ab c
    [step] ab c | done red
    [step] ab c | cut  here
    xy
    "
  `);
});

test('quiet tells warnings and what failed', () => {
  const stream = new PassThrough({ encoding: 'utf8' });
  const renderer = quietRenderer({ color: false, verbose: false, interactive: false, stream, stopping: () => false });
  renderer.event({ type: 'notice', level: 'info', message: 'hello' });
  renderer.event({ type: 'notice', level: 'warning', message: 'The clock is wrong.' });
  renderer.event({ ...step, state: 'started' });
  renderer.event({ type: 'output', id: '2', text: 'no space left\n' });
  renderer.event({ ...step, state: 'failed', seconds: 3 });
  expect(stream.read()).toBe('Warning: The clock is wrong.\n[2/3] npm ci failed 3.0 s\n  │ no space left\n');
});

function plain(options: { readonly verbose?: boolean; readonly interactive?: boolean; readonly stopping?: () => boolean } = {}): {
  event: (event: Event) => void;
  text: () => string;
} {
  const stream = new PassThrough({ encoding: 'utf8' });
  const renderer = plainRenderer({ color: false, verbose: false, interactive: false, stream, stopping: () => false, ...options }, () =>
    Date.now(),
  );
  let all = '';
  return { event: (event) => renderer.event(event), text: () => (all += (stream.read() as string | null) ?? '') };
}
