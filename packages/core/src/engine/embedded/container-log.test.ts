import { appendFileSync, mkdtempSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LogOptions } from '../engine.ts';
import { keepParts, readLog } from './container-log.ts';

let folder: string;
let path: string;
let written: boolean;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'container-log-'));
  path = join(folder, 'log');
  written = true;
});

afterEach(() => rmSync(folder, { recursive: true }));

test('a line is told with its time and stream, and one that is not finished as what it is', async () => {
  writeFileSync(path, `${entry('a  b')}${entry('oops', 'stderr')}${entry('', 'stdout')}cut by a cra\n${entry('name? ', 'stdout', 'P')}`);
  const lines = [];
  for await (const { bytes, ...line } of readLog(path, () => true, { follow: false }))
    lines.push({ ...line, text: Buffer.from(bytes).toString() });
  const time = '2026-11-24T10:00:00.123456789+00:00';
  expect(lines).toEqual([
    { time, stream: 'stdout', text: 'a  b', complete: true },
    { time, stream: 'stderr', text: 'oops', complete: true },
    { time, stream: 'stdout', text: '', complete: true },
    { time, stream: 'stdout', text: 'name? ', complete: false },
  ]);
});

test('tail counts lines, not their pieces', async () => {
  writeFileSync(path, `${entry('one')}${entry('tw', 'stdout', 'P')}${entry('o')}${entry('three')}`);
  const tails = [];
  for (const tail of [0, 1, 2, 3, 9]) tails.push(await told({ follow: false, tail }));
  expect(tails).toEqual(['', 'three\n', 'two\nthree\n', 'one\ntwo\nthree\n', 'one\ntwo\nthree\n']);
});

test('following goes over to the log that takes the place of a full one, and ends with the writer', async () => {
  writeFileSync(path, entry('one'));
  const all = told({ follow: true });
  await delay(300);
  appendFileSync(path, entry('two').slice(0, 20));
  await delay(300);
  appendFileSync(path, `${entry('two').slice(20)}${entry('three')}`);
  writeFileSync(join(folder, 'new'), entry('four'));
  renameSync(join(folder, 'new'), path);
  await delay(300);
  truncateSync(path);
  await delay(300);
  appendFileSync(path, entry('five'));
  written = false;
  expect(await all).toBe('one\ntwo\nthree\nfour\nfive\n');
});

test('following begins before there is a log, and an abort ends it', async () => {
  const controller = new AbortController();
  const all = told({ follow: true, signal: controller.signal });
  await delay(100);
  writeFileSync(path, entry('one'));
  await delay(500);
  controller.abort();
  expect(await all).toBe('one\n');
});

test('a log of very many lines is told piece by piece, also when another takes its place meanwhile', { timeout: 20_000 }, async () => {
  const many = 200_000;
  writeFileSync(path, entry('one').repeat(many));
  const replace = (): void => {
    appendFileSync(path, entry('two').repeat(many));
    writeFileSync(join(folder, 'new'), entry('three').repeat(many));
    renameSync(join(folder, 'new'), path);
    written = false;
  };
  const counts: Record<string, number> = {};
  for await (const { bytes } of readLog(path, () => written, { follow: true })) {
    const text = Buffer.from(bytes).toString();
    counts[text] = (counts[text] ?? 0) + 1;
    if (text === 'one' && counts[text] === many) replace();
  }
  expect(counts).toEqual({ one: many, two: many, three: many });
  expect(await told({ follow: false, tail: 2 })).toBe('three\nthree\n');
});

test('what is written while it is told is left out without following, and does not keep an abort from being heard', async () => {
  writeFileSync(path, entry('one').repeat(3));
  let count = 0;
  for await (const _ of readLog(path, () => true, { follow: false })) appendFileSync(path, entry(String(count++)));
  expect(count).toBe(3);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  const more = entry('more').repeat(20);
  for await (const _ of readLog(path, () => true, { follow: true, signal: controller.signal })) appendFileSync(path, more);
  expect(controller.signal.aborted).toBe(true);
});

test('the first two parts of a log are kept and told before the last; its last lines are never from before a gap', async () => {
  const next = (text: string): void => {
    writeFileSync(`${path}.tmp`, entry(text)); // as conmon does it
    renameSync(`${path}.tmp`, path);
  };
  keepParts(path);
  appendFileSync(path, entry('one') + entry('two'));
  const following = told({ follow: true });
  await delay(300);
  expect(await told({ follow: false })).toBe('one\ntwo\n');
  next('three');
  keepParts(path); // it was started again
  expect([await told({ follow: false }), await told({ follow: false, tail: 2 })]).toEqual(['one\ntwo\nthree\n', 'two\nthree\n']);
  await delay(300);
  next('four');
  await delay(300);
  next('five');
  written = false;
  expect(await following).toBe('one\ntwo\nthree\nfour\nfive\n');
  let gaps = 0;
  const onGap = (): unknown => (gaps += 1);
  expect([await told({ follow: false, onGap }), gaps]).toEqual(['one\ntwo\nthree\nfive\n', 1]);
  expect([await told({ follow: false, tail: 2, onGap }), gaps]).toEqual(['five\n', 1]);
});

test('the last lines are found also when they are long, or many', async () => {
  const texts = Array.from({ length: 3000 }, (_, index) => String(index).padStart(10 + (index % 7) * 100, 'x'));
  texts[1500] = 'y'.repeat(700_000);
  writeFileSync(path, texts.map((text) => entry(text)).join(''));
  for (const tail of [1, 700, 1499, 1500, 1501, 2999, 3000, 4000])
    expect(await told({ follow: false, tail })).toBe(texts.slice(-tail).map((text) => `${text}\n`).join('')); // prettier-ignore
});

function entry(text: string, stream = 'stdout', kind = 'F'): string {
  return `2026-11-24T10:00:00.123456789+00:00 ${stream} ${kind} ${text}\n`;
}

async function told(options: LogOptions): Promise<string> {
  let text = '';
  for await (const { bytes, complete } of readLog(path, () => written, options))
    text += Buffer.from(bytes).toString() + (complete ? '\n' : '');
  return text;
}
