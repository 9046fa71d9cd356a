import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeName } from './file-name.ts';
import { encodeHeader, paddingOf, type HeaderFields } from './tar-encode.ts';
import type { TarEntry } from './tar-entry.ts';
import { TarReader } from './tar-reader.ts';

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'devenv-tar-'))));
afterEach(() => rmSync(directory, { recursive: true }));

interface Read extends Partial<TarEntry> {
  readonly content?: string;
}

/** Everything an archive says, when it comes in pieces of one size. */
function read(archive: Buffer, pieceSize = archive.length || 1): Read[] {
  const found: Read[] = [];
  let content = Buffer.alloc(0);
  const reader = new TarReader({
    entry(entry) {
      found.push({ ...entry });
      content = Buffer.alloc(entry.type === 'file' ? entry.size : 0);
    },
    data: (bytes, offset) => void bytes.copy(content, offset),
    end() {
      found[found.length - 1] = { ...found.at(-1), content: content.toString('latin1') };
    },
  });
  for (let at = 0; at < archive.length; at += pieceSize) reader.write(archive.subarray(at, at + pieceSize));
  reader.end();
  return found;
}

function member(fields: Partial<HeaderFields> & { readonly name: string }, content = ''): Buffer {
  const header = encodeHeader({ flag: '0', mode: 0o644, uid: 0, gid: 0, seconds: 0, size: content.length, ...fields });
  return Buffer.concat([header, Buffer.from(content, 'latin1'), Buffer.alloc(paddingOf(content.length))]);
}

const end = Buffer.alloc(1024);
const bad = (text: string | RegExp) =>
  expect.objectContaining({ code: 'BAD_ARCHIVE', message: expect.stringMatching(text) as string }) as Error;

/** An archive by GNU tar of what `make` puts into a directory. */
function gnuTar(make: (at: (name: string) => string) => void, ...options: readonly string[]): Buffer {
  make((name) => join(directory, name));
  return execFileSync('tar', ['--sort=name', ...options, '-C', directory, '-cf', '-', '.'], { maxBuffer: 1 << 28 });
}

test.each(['v7', 'ustar', 'gnu', 'pax', 'oldgnu'])('what GNU tar writes as %s is read', (format) => {
  const archive = gnuTar((at) => {
    mkdirSync(at('folder'));
    writeFileSync(at('folder/file'), 'content', { mode: 0o640 });
    chmodSync(at('folder/file'), 0o640);
    lutimesSync(at('folder/file'), 1234567890, 1234567890);
    linkSync(at('folder/file'), at('folder/second'));
    symlinkSync('../folder/file', at('folder/symlink'));
    writeFileSync(at('zero'), '');
  }, `--format=${format}`);
  expect(read(archive).map(({ name, type, target, content }) => [name, type, target, content])).toEqual([
    ['./', 'directory', '', ''],
    ['./folder/', 'directory', '', ''],
    ['./folder/file', 'file', '', 'content'],
    ['./folder/second', 'hardlink', './folder/file', ''],
    ['./folder/symlink', 'symlink', '../folder/file', ''],
    ['./zero', 'file', '', ''],
  ]);
  expect(read(archive)[2]).toMatchObject({ mode: 0o640, seconds: 1234567890, size: 7 });
});

test.each(['gnu', 'pax', 'oldgnu'])('long names, long targets and names that are not ASCII are read from %s', (format) => {
  const long = `${'d'.repeat(120)}/${'f'.repeat(130)}ü`;
  const archive = gnuTar((at) => {
    mkdirSync(at('d'.repeat(120)));
    writeFileSync(at(long), 'x');
    symlinkSync(`/${long}`, at('link'));
  }, `--format=${format}`);
  expect(read(archive).map(({ name, target }) => [name, target])).toEqual([
    ['./', ''],
    [`./${'d'.repeat(120)}/`, ''],
    [`./${long}`, ''],
    ['./link', `/${long}`],
  ]);
});

test.each(['gnu', 'pax'])('owners above 2^21, sizes and times beyond octal are read from %s', (format) => {
  const archive = gnuTar(
    (at) => writeFileSync(at('file'), ''),
    `--format=${format}`,
    '--owner=:3000000000',
    '--group=:2097152',
    '--mtime=@99999999999',
  );
  expect(read(archive)[1]).toMatchObject({ uid: 3000000000, gid: 2097152, seconds: 99999999999 });
});

test('times with fractions and before 1970 are read to the nanosecond', () => {
  const archive = gnuTar((at) => {
    writeFileSync(at('a'), '');
    writeFileSync(at('b'), '');
    execFileSync('touch', ['-d', '@1700000000.123456789', at('a')]);
    execFileSync('touch', ['-d', '@-1.25', at('b')]);
  }, '--format=pax');
  expect(
    read(archive)
      .slice(1)
      .map(({ seconds, nanoseconds }) => [seconds, nanoseconds]),
  ).toEqual([
    [1700000000, 123456789],
    [-2, 750000000],
  ]);
});

test.each([
  ['gnu', ''],
  ['pax', '--sparse-version=0.0'],
  ['pax', '--sparse-version=0.1'],
  ['pax', '--sparse-version=1.0'],
])('sparse files are read from %s%s, whatever the pieces', (format, version) => {
  const extents = 40; // more than a GNU header and one extension hold
  const archive = gnuTar(
    (at) => {
      const descriptor = openSync(at('sparse'), 'w');
      for (let extent = 0; extent < extents; extent++) writeSync(descriptor, `extent ${extent}`, extent * 100_000);
      closeSync(descriptor);
      truncateSync(at('sparse'), 5_000_000);
    },
    `--format=${format}`,
    '--sparse',
    ...(version ? [version] : []),
  );
  expect(archive.length).toBeLessThan(1_000_000);
  const expected = Buffer.alloc(5_000_000);
  for (let extent = 0; extent < extents; extent++) expected.write(`extent ${extent}`, extent * 100_000);
  for (const pieceSize of [archive.length, 1000, 512]) {
    const [, file] = read(archive, pieceSize);
    expect({ name: file!.name!.replace('./', ''), size: file!.size }).toEqual({ name: 'sparse', size: 5_000_000 });
    expect(file!.content === expected.toString('latin1')).toBe(true);
  }
});

test('the pieces that an archive comes in make no difference', () => {
  const archive = Buffer.concat([
    member({ name: 'a'.repeat(300), attributes: new Map([['user.a', Buffer.from('1')]]) }, 'x'.repeat(1500)),
    member({ name: 'b' }, 'y'),
    end,
  ]);
  for (const pieceSize of [1, 7, 511, 513, 4096]) expect(read(archive, pieceSize)).toEqual(read(archive));
});

test('extended attributes keep every byte', () => {
  const value = Buffer.from([0, 1, 0x0a, 0x3d, 0xff]);
  const archive = Buffer.concat([
    member({
      name: 'a',
      attributes: new Map([
        ['security.capability', value],
        ['user.a=b', value],
      ]),
    }),
    end,
  ]);
  expect([...read(archive)[0]!.attributes!]).toEqual([
    ['security.capability', value],
    ['user.a', Buffer.concat([Buffer.from('b='), value])], // a keyword ends at its first equals sign
  ]);
});

test('a name that is no UTF-8 keeps its bytes', () => {
  const bytes = Buffer.from([0x61, 0xff, 0xc3, 0xa4, 0x80, 0x62]);
  const header = member({ name: 'xxxxxx' });
  bytes.copy(header, 0);
  rechecksum(header);
  const [entry] = read(Buffer.concat([header, end]));
  expect(encodeName(entry!.name!)).toEqual(bytes);
});

test('global records hold until others replace them, but name no file', () => {
  const archive = Buffer.concat([
    pax('g', { uid: '7', gid: '8', path: 'evil' }),
    member({ name: 'a' }),
    pax('x', { uid: '9' }),
    member({ name: 'b' }),
    end,
  ]);
  expect(read(archive).map(({ name, uid, gid }) => [name, uid, gid])).toEqual([
    ['a', 7, 8],
    ['b', 9, 8],
  ]);
});

test('an archive without an end mark, without the last padding and an empty one are accepted', () => {
  expect(read(member({ name: 'a' }, 'abc')).length).toBe(1);
  expect(read(member({ name: 'a' }, 'abc').subarray(0, 515)).length).toBe(1);
  expect(read(Buffer.alloc(0))).toEqual([]);
  expect(read(end)).toEqual([]);
});

test('a directory, a link or a device has no content, whatever size it says', () => {
  const archive = Buffer.concat([
    ...['1', '2', '3', '4', '5', '6'].map((flag) => encodeHeader({ ...plain, flag, name: flag, target: 'a', size: 512 })),
    member({ name: 'end' }),
    end,
  ]);
  expect(
    read(archive)
      .map(({ name, size }) => [name, size])
      .at(-1),
  ).toEqual(['end', 0]);
  expect(read(archive).length).toBe(7);
});

const plain = { mode: 0o644, uid: 0, gid: 0, seconds: 0 } as const;

test.each<[string, () => Buffer, RegExp]>([
  ['cut inside a header', () => member({ name: 'a' }).subarray(0, 300), /middle/],
  ['cut inside a file', () => member({ name: 'a' }, 'abc').subarray(0, 513), /middle/],
  ['cut after an extended header', () => pax('x', { path: 'a' }), /middle/],
  ['not an archive', () => Buffer.alloc(2048, 'garbage'), /checksum|number/],
  [
    'damaged in one byte',
    () => {
      const bytes = member({ name: 'a' });
      bytes[0] = 0x62;
      return bytes;
    },
    /checksum/,
  ],
  ['of an unknown member type', () => Buffer.concat([encodeHeader({ ...plain, flag: 'M', name: 'a', size: 0 }), end]), /type "M"/],
  [
    'with a negative size',
    () => {
      const bytes = member({ name: 'a' });
      bytes.fill(0xff, 124, 136);
      return rechecksum(bytes);
    },
    /out of range/,
  ],
  ['with a size beyond all files', () => Buffer.concat([pax('x', { size: '99999999999999999999' }), member({ name: 'a' })]), /size/],
  ['with an owner beyond all ids', () => Buffer.concat([pax('x', { uid: '4294967295' }), member({ name: 'a' })]), /owner/],
  ['with a name beyond all paths', () => Buffer.concat([pax('x', { path: 'a/'.repeat(3000) }), member({ name: 'a' })]), /too long/],
  ['with a zero byte in a name', () => Buffer.concat([pax('x', { path: 'a\0b' }), member({ name: 'a' })]), /zero byte/],
  ['with a damaged extended header', () => Buffer.concat([raw('x', '12 path=a\n'), member({ name: 'a' })]), /extended header/],
  ['with an extended header of gigabytes', () => encodeHeader({ ...plain, flag: 'x', name: 'a', size: 2 ** 33 - 1 }), /too long/],
  ['with a long name of gigabytes', () => encodeHeader({ ...plain, flag: 'L', name: 'a', size: 2 ** 33 - 1 }), /too long/],
  ['with a sparse map that overlaps', () => Buffer.concat([pax('x', sparse('0,3,1,3')), member({ name: 'a' }, 'abcdef')]), /sparse map/],
  ['with a sparse map beyond its file', () => Buffer.concat([pax('x', sparse('98,6')), member({ name: 'a' }, 'abcdef')]), /sparse map/],
  [
    'with a sparse map that does not fit the data',
    () => Buffer.concat([pax('x', sparse('0,3')), member({ name: 'a' }, 'abcdef')]),
    /sparse map/,
  ],
  [
    'with an endless sparse map',
    () =>
      Buffer.concat([
        pax('x', { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9' }),
        member({ name: 'a' }, `9999999\n${'1\n'.repeat(2 ** 20)}`),
      ]),
    /sparse map is too long/,
  ],
])('an archive %s is refused', (_what, make, why) => {
  expect(() => read(make())).toThrow(bad(why));
});

test('random damage never does anything but refuse or read', () => {
  const archive = gnuTar((at) => {
    mkdirSync(at('d'));
    writeFileSync(at(`d/${'n'.repeat(150)}`), 'content');
    symlinkSync('d', at('link'));
  }, '--format=pax');
  let seed = 1;
  const random = (below: number) => (seed = (seed * 48271) % 0x7fffffff) % below;
  for (let round = 0; round < 2000; round++) {
    const damaged = Buffer.from(archive);
    for (let count = 0; count < 3; count++) damaged[random(damaged.length)] = random(256);
    for (let at = 0; at + 512 <= damaged.length; at += 512)
      if (damaged[at] !== 0 && damaged[at + 257] === 0x75) rechecksum(damaged.subarray(at, at + 512));
    try {
      read(damaged, 1000);
    } catch (error) {
      expect(error).toEqual(bad(/./));
    }
  }
});

function sparse(map: string): Record<string, string> {
  return { 'GNU.sparse.map': map, 'GNU.sparse.size': '100', 'GNU.sparse.major': '0' };
}

function pax(flag: string, records: Readonly<Record<string, string>>): Buffer {
  return raw(
    flag,
    Object.entries(records)
      .map(([keyword, value]) => line(keyword, value))
      .join(''),
  );
}

function line(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length;
  while (`${length}${rest}`.length !== length) length = `${length}${rest}`.length;
  return `${length}${rest}`;
}

function raw(flag: string, body: string): Buffer {
  return Buffer.concat([
    encodeHeader({ ...plain, flag, name: 'pax', size: body.length }),
    Buffer.from(body),
    Buffer.alloc(paddingOf(body.length)),
  ]);
}

function rechecksum(header: Buffer): Buffer {
  header.fill(' ', 148, 156);
  header.write(
    `${header
      .subarray(0, 512)
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0`,
    148,
  );
  return header;
}

test.each(['gnu', 'posix'])('a file whose long name has a slash as its 100th byte is a file (%s)', (format) => {
  const folder = 'd'.repeat(99);
  mkdirSync(join(directory, folder));
  writeFileSync(join(directory, folder, 'file'), 'content');
  writeFileSync(join(directory, 'next'), 'after it');
  const archive = execFileSync('tar', ['-C', directory, `--format=${format}`, '-cf', '-', `${folder}/file`, 'next']);
  expect(read(archive).map(({ name, type, content }) => [name, type, content])).toEqual([
    [`${folder}/file`, 'file', 'content'],
    ['next', 'file', 'after it'],
  ]);
});
