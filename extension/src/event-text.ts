import type { Event } from '@devenv/core';

type Task = Extract<Event, { type: 'task' }>;

/** What a notification says while a command works: `2 of 3: npm ci`. undefined: nothing new to say. */
export function progressText(event: Event): string | undefined {
  if (event.type !== 'task' || (event.state !== 'started' && event.state !== 'waiting')) return undefined;
  return `${label(event)}${event.state === 'waiting' ? `, waiting${event.detail ? ` for ${event.detail}` : ''}` : ''}`;
}

export interface LogLine {
  readonly level: 'info' | 'warn' | 'error' | 'debug';
  readonly text: string;
}

/** Lines of the log: every event but the many of a transfer. */
export function logLines(event: Event): readonly LogLine[] {
  switch (event.type) {
    case 'notice': {
      const level = event.level === 'warning' ? 'warn' : 'info';
      return [{ level, text: event.message }, ...(event.hint ? [{ level, text: `Hint: ${event.hint}` } as const] : [])];
    }
    case 'output':
      return event.text
        .replace(/\n$/, '')
        .split('\n')
        .map((line) => ({ level: 'info', text: `  ${plain(line)}` }));
    case 'task': {
      const took = event.seconds === undefined || event.state === 'started' ? '' : ` ${event.seconds.toFixed(1)} s`;
      const detail = event.detail ? ` · ${event.detail}` : '';
      return [{ level: event.state === 'failed' ? 'error' : 'info', text: `${label(event)} ${event.state}${took}${detail}` }];
    }
    default:
      return [];
  }
}

function label({ kind, title, number, total }: Task): string {
  if (number !== undefined) return `Step ${number}${total === undefined ? '' : ` of ${total}`}: ${title}`;
  return title.startsWith(kind) ? title : `${kind} ${title}`;
}

/** Without colours, and of a line that a program has drawn over only what it ended with. */
function plain(line: string): string {
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  return (line.replace(/\r+$/, '').split('\r').at(-1) ?? '').replaceAll(/\u001B\[[0-9;?]*[A-Za-z]/g, '');
}
