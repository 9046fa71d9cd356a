import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { causeOf, causeOfContent } from './cause.ts';
import type { LayerDifference } from './compare-layers.ts';

const word = (seconds: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(seconds);
  return bytes;
};

const gzip = (text: string, seconds: number): Buffer => {
  const bytes = gzipSync(text);
  bytes.writeUInt32LE(seconds, 4);
  return bytes;
};

test.each<[string, string | Buffer, string | Buffer, string | undefined]>([
  ['a date', 'built on 2026-11-25\n', 'built on 2026-11-26\n', 'time stamp'],
  ['a time with a zone', 'at 2026-11-25T08:01:02.5+01:00', 'at 2026-11-26T09:01:02+0000', 'time stamp'],
  ['the answer of date(1)', 'Wed Nov 25 08:44:01 UTC 2026', 'Thu Nov 26 18:44:01 UTC 2026', 'time stamp'],
  ['seconds since 1970', 'x=1795000000;', 'x=1795000061;', 'time stamp'],
  ['days since 1970', 'dev:!:20454:0:99999:7:::', 'dev:!:20455:0:99999:7:::', 'time stamp'],
  ['how long it took', 'done in 0.53s', 'done in 1.2s', 'time stamp'],
  ['the time in the header of gzip', gzip('same', 1_795_000_000), gzip('same', 1_795_000_100), 'time stamp'],
  ['a time within what gzip holds', gzip('at 12:00:01', 1), gzip('at 12:00:02', 1), 'time stamp'],
  [
    'a word of a binary',
    Buffer.concat([Buffer.from('\0PYC'), word(1_795_000_000), Buffer.alloc(99, 7)]),
    Buffer.concat([Buffer.from('\0PYC'), word(1_795_500_000), Buffer.alloc(99, 7)]),
    'time stamp',
  ],
  ['__DATE__ in a program', Buffer.from('\0\x01Nov 25 2026\0x'), Buffer.from('\0\x01Nov 26 2026\0x'), 'time stamp'],
  ['lines', 'a\nb\nc\n', 'c\na\nb\n', 'ordering'],
  ['members of an object', '{"b":1,"a":2}', '{"a":2,"b":1}', 'ordering'],
  ['members of an archive', `${'a'.repeat(512)}${'b'.repeat(512)}`, `${'b'.repeat(512)}${'a'.repeat(512)}`, 'ordering'],
  ['a temporary folder', 'prefix=/tmp/tmp.aB3x/out lib', 'prefix=/tmp/tmp.zz9Q/out lib', 'path'],
  ['a folder of a build in a program', Buffer.from('\0/tmp/pip-build-1/a.c\0'), Buffer.from('\0/tmp/pip-build-2/a.c\0'), 'path'],
  ['a UUID', 'id: 6f1c1b1e-2f7b-4f0e-9b5f-0123456789ab', 'id: 1a2b3c4d-5e6f-4a0b-8c9d-ba9876543210', 'random bytes'],
  ['hexadecimal digits', 'key deadbeef01', 'key 0badcafe22', 'random bytes'],
  [
    'a sum over something with a time in it',
    '\n3f0c9a1be2d7\t{"key":"a","time":1795000000123,"size":9}',
    '\n91b2e5c40a6f\t{"key":"a","time":1795000061456,"size":9}',
    'time stamp',
  ],
  ['raw bytes', randomBytes(64), randomBytes(64), 'random bytes'],
  ['another release', 'version 1.2.3: fixes a bug in the parser', 'version 1.3.0: adds a parser', undefined],
])('%s is recognised', (_what, a, b, cause) => {
  expect(causeOfContent(Buffer.from(a as string), Buffer.from(b as string))).toBe(cause);
});

test('what tar writes in another order is recognised', () => {
  const tar = (...names: string[]): Buffer => execFileSync('tar', ['-C', import.meta.dirname, '--mtime=@0', '-cf', '-', ...names]);
  expect(causeOfContent(tar('cause.ts', 'libc.ts'), tar('libc.ts', 'cause.ts'))).toBe('ordering');
});

test('the times of members of an archive are recognised, packed or not', () => {
  const tar = (time: string): Buffer =>
    execFileSync('tar', ['-C', import.meta.dirname, `--mtime=${time}`, '-cf', '-', 'cause.ts', 'libc.ts']);
  const [a, b] = [tar('@1795000000'), tar('@1795000777')];
  expect([causeOfContent(a, b), causeOfContent(gzipSync(a), gzipSync(b))]).toEqual(['time stamp', 'time stamp']);
});

test('a name that changes from run to run has a partner on the other side', () => {
  const only = (path: string, where: 'a' | 'b'): LayerDifference => ({ path, where, what: [] });
  const cause = (a: string, b: string): unknown => causeOf(only(a, 'a'), [only(a, 'a'), only(b, 'b')]);
  expect([cause('/log/2026-11-25.txt', '/log/2026-11-26.txt'), cause('/x/tmp.aB3xQq', '/x/tmp.Zq81Lm'), cause('/a', '/b')]).toEqual([
    'time stamp',
    'random bytes',
    undefined,
  ]);
});
