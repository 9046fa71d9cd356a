import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { greet, keepGreeting, type Pipe } from './connect.ts';
import { differentVersions } from './different-versions.ts';

const greeting = { schema: 1, version: '1.137.0', commit: 'c', token: 't' };
const line = `${JSON.stringify(greeting)}\n`;

test.each([
  ['in one piece', [`${line}abc`]],
  ['in pieces', [line.slice(0, 5), line.slice(5), 'a', 'bc']],
  ['with bytes at its heels', [line.slice(0, 9), `${line.slice(9)}ab`, 'c']],
])('a greeting that comes %s is taken off, and no byte after it is lost', async (_how, pieces) => {
  const { pipe, events } = fakePipe();
  const met = greet(pipe);
  for (const piece of pieces) events.emit('data', Buffer.from(piece));
  const greeted = await met;
  expect(greeted.greeting).toEqual(greeting);
  let text = '';
  greeted.pipe.onData((bytes) => (text += Buffer.from(bytes).toString()));
  expect(text).toBe('abc');
  events.emit('data', Buffer.from('d'));
  expect(text).toBe('abcd');
});

test('the end of a pipe is heard also by who listens after it', async () => {
  const { pipe, events } = fakePipe();
  const met = greet(pipe);
  events.emit('data', Buffer.from(line));
  const greeted = await met;
  events.emit('close', 'It has ended.');
  expect(await new Promise((resolve) => greeted.pipe.onClose(resolve))).toBe('It has ended.');
});

test('a pipe that ends before says why', async () => {
  const { pipe, events } = fakePipe();
  const met = greet(pipe);
  events.emit('close', 'There is no environment.');
  await expect(met).rejects.toThrow('There is no environment.');
});

test('an environment that is gone for a moment is asked again, and one that stays away says why', async () => {
  const pipes = [fakePipe(), fakePipe()];
  let opened = 0;
  const met = keepGreeting(() => pipes[opened++]!.pipe, 60_000);
  pipes[0]!.events.emit('close', 'It does not run.');
  await expect.poll(() => opened, { timeout: 10_000 }).toBe(2);
  pipes[1]!.events.emit('data', Buffer.from(line));
  expect((await met).greeting).toEqual(greeting);
  const { pipe, events } = fakePipe();
  const none = keepGreeting(() => pipe, 0);
  events.emit('close', 'It does not run.');
  await expect(none).rejects.toThrow('It does not run.');
});

test('a pipe that says nothing is closed in time', async () => {
  const { pipe, events } = fakePipe();
  const close = (): void => void events.emit('close', 'It is still being made.');
  await expect(keepGreeting(() => ({ ...pipe, close }), 50)).rejects.toThrow('It is still being made.');
});

test('what is no greeting is refused', async () => {
  const { pipe, events } = fakePipe();
  const met = greet(pipe);
  events.emit('data', Buffer.from('HTTP/1.1 400 Bad Request\n'));
  await expect(met).rejects.toThrow('no server of devenv');
});

test('an editor of another version is told which one would fit', () => {
  expect(differentVersions('1.137.0', '1.137.0')).toBeUndefined();
  expect(differentVersions('1.137.0-insider', '1.137.0')).toBeUndefined();
  expect(differentVersions('1.120.1', '1.137.0')).toMatch(/1\.120\.1.*1\.137\.0.*devenv code/);
});

function fakePipe(): { readonly pipe: Pipe; readonly events: EventEmitter } {
  const events = new EventEmitter();
  return {
    events,
    pipe: {
      send() {},
      onData: (listener) => events.on('data', listener),
      onClose: (listener) => events.once('close', listener),
      close() {},
    },
  };
}
