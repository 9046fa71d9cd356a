import { expect, test } from 'vitest';
import { compareNames, decodeName, encodeName, isOddName } from './file-name.ts';
import { parseWhiteout } from './whiteout.ts';

test('every sequence of bytes survives as a name', () => {
  let seed = 7;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  const samples = Array.from({ length: 5000 }, () =>
    Buffer.from(Array.from({ length: 1 + random(8) }, () => [random(256), 0xc3, 0xed, 0xf0, 0x9f, 0xef, 0xbf, 0xbd][random(8)]!)),
  );
  for (const bytes of samples) expect(encodeName(decodeName(bytes))).toEqual(bytes);
});

test('ordinary names stay ordinary', () => {
  for (const name of ['a', 'größe', '日本', '🙂', '\ufffd'])
    expect([decodeName(Buffer.from(name)), isOddName(name)]).toEqual([name, false]);
  expect(isOddName(decodeName(Buffer.from([0x61, 0xff])))).toBe(true);
});

test('names are in byte order, beyond U+FFFF, too', () => {
  expect(['🙂', '\uffee', 'ä', 'b', 'B', 'a', 'a-', 'a/'].toSorted(compareNames)).toEqual(['B', 'a', 'a-', 'a/', 'b', 'ä', '\uffee', '🙂']);
});

test.each([
  ['a/b', undefined],
  ['a/x.wh.b', undefined],
  ['.wh.a', { kind: 'hides', name: 'a' }],
  ['a/.wh.b', { kind: 'hides', name: 'a/b' }],
  ['a/.wh..b', { kind: 'hides', name: 'a/.b' }],
  ['.wh..wh..opq', { kind: 'opaque', directory: '' }],
  ['a/b/.wh..wh..opq', { kind: 'opaque', directory: 'a/b' }],
  ['.wh..wh.plnk', { kind: 'ignored' }],
  ['.wh..wh.plnk/1.2', { kind: 'ignored' }],
])('%s says of the layers below: %j', (name, whiteout) => {
  expect(parseWhiteout(name)).toEqual(whiteout);
});
