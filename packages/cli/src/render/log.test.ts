import { PassThrough, Writable } from 'node:stream';
import type { LogLine } from '@devenv/core';
import { expect, test } from 'vitest';
import { writeLog, type LogForm } from './log.ts';

const lines: readonly LogLine[] = [
  { time: 'T1', stream: 'stdout', bytes: Buffer.from('na'), complete: false },
  { time: 'T2', stream: 'stderr', bytes: Buffer.from([0xff]), complete: true },
  { time: 'T3', stream: 'stdout', bytes: Buffer.from('me'), complete: true },
  { time: 'T4', stream: 'stdout', bytes: Buffer.from('half'), complete: false },
];

test.each<[LogForm, string, string]>([
  ['plain', 'name\nhalf', '\u00FF\n'],
  ['timestamps', 'T1 name\nT4 half', 'T2 \u00FF\n'],
])('the log as %s is what the command wrote, to the streams it wrote to', async (form, out, err) => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  await writeLog(given(lines), form, { stdout, stderr });
  expect([read(stdout), read(stderr)]).toEqual([out, err]);
});

test('as JSON each entry is an object on stdout', async () => {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  await writeLog(given(lines.slice(2)), 'json', { stdout, stderr });
  expect(read(stdout)).toBe(
    '{"time":"T3","stream":"stdout","text":"me","complete":true}\n{"time":"T4","stream":"stdout","text":"half","complete":false}\n',
  );
});

test('a reader that has gone away ends it', async () => {
  const stdout = new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error('closed'), { code: 'EPIPE' })) });
  let count = 0;
  async function* endless(): AsyncGenerator<LogLine> {
    for (; ; count++) yield await new Promise<LogLine>((resolve) => setImmediate(resolve, lines[2]!));
  }
  await writeLog(endless(), 'plain', { stdout, stderr: new PassThrough() });
  expect(count).toBeLessThan(100);
});

test('lines that come together go out together, and those of two streams in their order', async () => {
  const calls: string[] = [];
  const stream = (): Writable =>
    new Writable({
      write: (chunk: Buffer, _encoding, done) => done(void calls.push(chunk.toString())),
      writev: (chunks, done) => done(void calls.push(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)).toString())),
    });
  const said = (text: string, name: LogLine['stream']): LogLine => ({ time: 'T', stream: name, bytes: Buffer.from(text), complete: true });
  const all = [said('a', 'stdout'), said('b', 'stdout'), said('c', 'stderr'), said('d', 'stdout'), said('e', 'stdout')];
  await writeLog(given(all), 'plain', { stdout: stream(), stderr: stream() });
  expect(calls).toEqual(['a\nb\n', 'c\n', 'd\ne\n']);
});

test('a slow reader is waited for many times without a listener left behind', async () => {
  const stdout = new Writable({ highWaterMark: 1, write: (_chunk, _encoding, done) => void setImmediate(done) });
  const before = (['drain', 'close', 'error'] as const).map((name) => stdout.listenerCount(name));
  const warnings: string[] = [];
  const onWarning = ({ name }: Error): unknown => warnings.push(name);
  process.on('warning', onWarning);
  await writeLog(given(Array.from({ length: 50 }, () => lines[2]!)), 'timestamps', { stdout, stderr: new PassThrough() });
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  expect(warnings).toEqual([]);
  expect(before.map((count, index) => stdout.listenerCount((['drain', 'close', 'error'] as const)[index]!) - count)).toEqual([0, 0, 1]);
});

async function* given(all: readonly LogLine[]): AsyncGenerator<LogLine> {
  for (const line of all) yield await Promise.resolve(line);
}

function read(stream: PassThrough): string {
  return ((stream.read() as Buffer | null) ?? Buffer.alloc(0)).toString('latin1');
}
