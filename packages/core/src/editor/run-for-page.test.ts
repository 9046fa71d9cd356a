import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import type { WebSocket } from '../base/loopback-server.ts';
import { runForPage } from './run-for-page.ts';

test.each([
  ['has a word that is longer than the system takes', ['ps', 'x'.repeat(3_000_000)], 'cannot be started'],
  ['has a NUL in a word', ['ps', 'a\0b'], 'cannot be started'],
  ['has a word that is no text', ['ps', { toString: 1 }], 'are texts'],
  ['has no word', [], 'may not ask'],
  ['is not of the list', ['prune'], 'may not ask for: prune'],
])('a command that %s is answered, and nothing is thrown', (_what, args, reason) => {
  const page = fakePage();
  page.ask({ args });
  expect(page.heard).toEqual([{ stderr: expect.stringContaining(reason) }, { exitCode: 2 }, 'closed']);
});

test('a command that is allowed is run', async () => {
  const page = fakePage();
  page.ask({ args: ['ps', '--json'] });
  await expect.poll(() => page.heard).toEqual([{ stdout: 'ps --json\n' }, { exitCode: 0 }, 'closed']);
});

function fakePage(): { readonly heard: readonly unknown[]; ask(message: object): void } {
  const heard: unknown[] = [];
  const socket = Object.assign(new EventEmitter(), {
    send: (text: string) => heard.push(JSON.parse(text)),
    close: () => heard.push('closed'),
    terminate: () => heard.push('terminated'),
  });
  runForPage(socket as unknown as WebSocket, { command: 'echo', env: process.env, cwd: '/' });
  return { heard, ask: (message) => void socket.emit('message', Buffer.from(JSON.stringify(message))) };
}
