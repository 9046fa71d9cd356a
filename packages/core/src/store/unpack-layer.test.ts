import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { getAttribute, listAttributes, makeNode, setAttribute, setTimes } from '../base/system-calls.ts';
import { encodeHeader, paddingOf, type HeaderFields } from '../oci/tar-encode.ts';
import { diffIdOf } from '../oci/tar-writer.ts';
import { recordedTar, TarRecorder } from './tar-record.ts';
import { unpackLayer, type UnpackOptions } from './unpack-layer.ts';

const isRoot = process.getuid?.() === 0;

let base: string;
let layer: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'devenv-unpack-'));
  layer = join(base, 'layer');
  mkdirSync(layer);
});
afterEach(() => rmSync(base, { recursive: true }));

type Member = Partial<HeaderFields> & { readonly name: string; readonly content?: string };
const file = (name: string, content = '', more: Partial<HeaderFields> = {}): Member => ({ name, content, ...more });
const folder = (name: string, more: Partial<HeaderFields> = {}): Member => ({ name: `${name}/`, flag: '5', mode: 0o755, ...more });
const symlink = (name: string, target: string): Member => ({ name, flag: '2', target });
const hardlink = (name: string, target: string): Member => ({ name, flag: '1', target });

function archive(members: readonly Member[]): Buffer {
  const own = { flag: '0', mode: 0o644, uid: process.getuid!(), gid: process.getgid!(), seconds: 1_000_000_000 };
  const parts = members.flatMap(({ content = '', ...fields }) => [
    encodeHeader({ ...own, size: content.length, ...fields }),
    Buffer.from(content, 'latin1'),
    Buffer.alloc(paddingOf(content.length)),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** Whatever is unpacked, its record makes the same archive again. */
async function unpack(members: readonly Member[], options: Partial<UnpackOptions> = {}): Promise<{ entries: number; bytes: number }> {
  const place = { record: join(aside, `record-${records++}`), replaced: join(aside, `replaced-${records}`) };
  using recorder = new TarRecorder(place);
  const bytes = archive(members);
  const pieces = [bytes.subarray(0, 700), bytes.subarray(700, 1111), bytes.subarray(1111)];
  const result = await unpackLayer(Readable.from(pieces), layer, { overlay: 'trusted', recorder, ...options });
  expect((await buffer(recordedTar(place, layer))).equals(bytes)).toBe(true);
  return result;
}

let records = 0;
let aside: string;
beforeEach(() => {
  aside = mkdtempSync(join(tmpdir(), 'devenv-unpack-records-'));
});
afterEach(() => rmSync(aside, { recursive: true }));

const at = (name: string) => join(layer, name);
const bad = (text: RegExp) => expect.objectContaining({ code: 'BAD_ARCHIVE', message: expect.stringMatching(text) as string }) as Error;

test.runIf(isRoot)(
  'what GNU tar wrote arrives as GNU tar unpacks it: owners, modes, times, links, devices, attributes, holes',
  async () => {
    const source = join(base, 'source');
    mkdirSync(join(source, 'a/b'), { recursive: true });
    writeFileSync(join(source, 'a/b/setuid'), 'x');
    writeFileSync(join(source, 'capable'), 'x');
    setAttribute(join(source, 'capable'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
    setAttribute(join(source, 'a'), 'user.note', Buffer.from('on a directory'));
    makeNode(join(source, 'fifo'), 0o010644, 0, 0);
    makeNode(join(source, 'device'), 0o020620, 5, 1);
    makeNode(join(source, 'disk'), 0o060660, 259, 300);
    symlinkSync('/nowhere/else', join(source, 'symlink'));
    const script = `cd "$1"; chown 123:456 a; chown 3000000:2999999 a/b/setuid; chmod 6711 a/b/setuid; chmod 1777 a/b; chown -h 5:6 symlink
    ln a/b/setuid hard; truncate -s 3M sparse; echo end >>sparse; echo ü >"größe"; printf x >"$(printf 'odd-\\377')"; ln "$(printf 'odd-\\377')" odd-link
    touch -h -d @1600000000.123456789 symlink; touch -d @-5.5 a/b/setuid; touch -d @1600000001.000000001 a a/b`;
    execFileSync('sh', ['-e', '-c', script, 'sh', source]);
    execFileSync('tar', ['--format=pax', '--sparse', '--xattrs', '--xattrs-include=*', '-C', source, '-cf', join(base, 'tar'), '.']);
    const peer = join(base, 'peer');
    mkdirSync(peer);
    execFileSync('tar', ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-C', peer, '-xpf', join(base, 'tar')]);

    const result = await unpackLayer(createReadStream(join(base, 'tar'), { highWaterMark: 700 }), layer, { overlay: 'trusted' });

    const list = (where: string) =>
      execFileSync(
        'sh',
        ['-c', `cd "$1"; LC_ALL=C find . -printf '%p %y %m %U %G %T@ %n %s %l\\n' | sort; stat -c '%n %t %T' device disk`, 'sh', where],
        { encoding: 'latin1' },
      );
    expect(list(layer)).toBe(list(peer));
    const attributes = (where: string) =>
      readdirSync(where, { recursive: true, encoding: 'utf8' }).flatMap((name) =>
        name.includes('\ufffd') ? [] : listAttributes(join(where, name)).map((key) => [name, key, getAttribute(join(where, name), key)]),
      );
    expect(attributes(layer)).toEqual(attributes(peer));
    expect(attributes(layer).length).toBe(2);
    expect(await diffIdOf(layer)).toBe(await diffIdOf(peer));
    expect(result.entries).toBe(14);
    expect(statSync(at('sparse')).blocks * 512).toBeLessThan(1_000_000);
  },
);

test('modes do not depend on the umask', async () => {
  const before = process.umask(0o077);
  try {
    await unpack([folder('open', { mode: 0o777 }), file('open/file', '', { mode: 0o666 }), file('closed', '', { mode: 0o000 })]);
  } finally {
    process.umask(before);
  }
  expect(['open', 'open/file', 'closed'].map((name) => lstatSync(at(name)).mode & 0o7777)).toEqual([0o777, 0o666, 0]);
});

test("a directory's time is its own, whatever is put into it later", async () => {
  await unpack([
    folder('a', { seconds: 1000 }),
    folder('b'),
    file('a/file'),
    file('b/file'),
    { ...folder('.'), name: './', seconds: 2000 },
  ]);
  expect(['a', 'b', '.'].map((name) => lstatSync(at(name)).mtimeMs / 1000)).toEqual([1000, 1_000_000_000, 2000]);
});

test('directories that are used and not mentioned are as in the layers below, else 0755 and of the epoch', async () => {
  const lower = ['top', 'middle', 'bottom'].map((name) => join(base, name));
  mkdirSync(join(lower[1]!, 'a'), { recursive: true });
  mkdirSync(join(lower[2]!, 'a/b'), { recursive: true });
  mkdirSync(lower[0]!);
  writeFileSync(join(lower[1]!, 'c'), 'no directory any more');
  mkdirSync(join(lower[2]!, 'c'), { mode: 0o711 });
  const give = (path: string, mode: number, seconds: number) => {
    chmodSync(path, mode);
    setTimes(path, seconds, 5);
  };
  give(join(lower[1]!, 'a'), 0o1777, 7);
  give(join(lower[2]!, 'a/b'), 0o750, -7);
  give(lower[0]!, 0o711, 9);
  await unpack([file('a/b/file'), file('c/file'), file('d/file')], { lower });
  const seen = ['.', 'a', 'a/b', 'c', 'd'].map((name) => lstatSync(at(name), { bigint: true }));
  expect(seen.map(({ mode, mtimeNs }) => [Number(mode & 0o7777n), mtimeNs])).toEqual([
    [0o711, 9_000_000_005n],
    [0o1777, 7_000_000_005n],
    [0o750, -6_999_999_995n],
    [0o755, 0n],
    [0o755, 0n],
  ]);
});

test('the later of two members of one name wins, whatever they are', async () => {
  await unpack([
    file('file-file', 'old'),
    file('file-file', 'new'),
    folder('folder-file'),
    file('folder-file/inside'),
    file('folder-file', 'new'),
    symlink('link-file', 'folder-folder/kept'),
    file('link-file', 'new'),
    file('file-folder', 'old'),
    folder('file-folder'),
    file('file-folder/inside', 'new'),
    folder('folder-folder', { mode: 0o700 }),
    file('folder-folder/kept', 'kept'),
    folder('folder-folder', { mode: 0o711 }),
  ]);
  const texts = ['file-file', 'folder-file', 'link-file', 'file-folder/inside', 'folder-folder/kept'].map((name) =>
    readFileSync(at(name), 'utf8'),
  );
  expect(texts).toEqual(['new', 'new', 'new', 'new', 'kept']);
  expect(lstatSync(at('folder-folder')).mode & 0o777).toBe(0o711);
  expect(readdirSync(layer).length).toBe(5);
});

test('a link that is replaced is not followed any more', async () => {
  await unpack([folder('one'), folder('two'), symlink('link', 'one'), file('link/a'), symlink('link', 'two'), file('link/b')]);
  expect([readdirSync(at('one')), readdirSync(at('two')), readlinkSync(at('link'))]).toEqual([['a'], ['b'], 'two']);
});

test.runIf(isRoot).each(['trusted', 'user'] as const)('whiteouts become what overlayfs reads with %s attributes', async (overlay) => {
  await unpack(
    [file('a/.wh.gone'), file('.wh.top'), file('b/.wh..wh..opq'), file('.wh..wh.aufs'), folder('.wh..wh.plnk'), file('.wh..wh.plnk/1')],
    { overlay },
  );
  expect(readdirSync(layer, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual(['a', 'a/gone', 'b', 'top']);
  for (const name of ['a/gone', 'top']) expect([lstatSync(at(name)).isCharacterDevice(), lstatSync(at(name)).rdev]).toEqual([true, 0]);
  expect(listAttributes(at('b'))).toEqual([`${overlay}.overlay.opaque`]);
  expect(getAttribute(at('b'), `${overlay}.overlay.opaque`)?.toString()).toBe('y');
});

test.runIf(isRoot).each(['before', 'after'])('a whiteout %s a member of its name hides only what is below', async (order) => {
  const members = [file('file', 'x'), folder('folder'), file('folder/inside'), symlink('link', 'file')];
  const whiteouts = [file('.wh.file'), file('.wh.folder'), file('.wh.link')];
  await unpack(order === 'before' ? [...whiteouts, ...members] : [...members, ...whiteouts]);
  expect(readFileSync(at('file'), 'utf8')).toBe('x');
  expect(readlinkSync(at('link'))).toBe('file');
  expect(existsSync(at('folder/inside'))).toBe(true);
  expect(getAttribute(at('folder'), 'trusted.overlay.opaque')?.toString()).toBe('y');
});

test.runIf(isRoot)('a directory that is only implied by its content still hides what its whiteout hides', async () => {
  await unpack([file('.wh.folder'), file('folder/inside')]);
  expect(getAttribute(at('folder'), 'trusted.overlay.opaque')?.toString()).toBe('y');
});

test.runIf(isRoot)('an archive cannot speak to overlayfs or bring labels of another host', async () => {
  const attributes = new Map(
    ['trusted.overlay.opaque', 'trusted.overlay.redirect', 'user.overlay.opaque', 'security.selinux', 'user.good'].map((name) => [
      name,
      Buffer.from('y'),
    ]),
  );
  await unpack([folder('a', { attributes }), file('b', '', { attributes: new Map([['trusted.overlay.metacopy', Buffer.from('')]]) })]);
  expect([listAttributes(at('a')), listAttributes(at('b'))]).toEqual([['user.good'], []]);
});

test('names with leading slashes and dots are inside the layer', async () => {
  await unpack([file('/etc/a'), file('././etc//./b'), file('//c')]);
  expect(readdirSync(layer, { recursive: true, encoding: 'utf8' }).toSorted()).toEqual(['c', 'etc', 'etc/a', 'etc/b']);
});

test.each<[string, readonly Member[], RegExp]>([
  ['a name with ..', [file('../evil')], /leads out/],
  ['a name with .. in the middle', [folder('a'), file('a/../../evil')], /leads out/],
  ['a hard link to outside', [hardlink('a', '../secret')], /leads out/],
  ['a hard link to nothing', [hardlink('a', 'b')], /not there/],
  ['a hard link to a directory', [folder('a'), hardlink('b', 'a')], /directory/],
  ['a hard link to itself', [file('a'), hardlink('a', 'a')], /itself/],
  ['a whiteout of ..', [file('.wh...')], /hides no name/],
  ['a whiteout of .', [file('a/.wh..')], /hides no name/],
  ['a whiteout of nothing', [file('.wh.')], /hides no name/],
  ['a member inside a whiteout', [file('.wh.a/b')], /whiteout/],
  ['a file used as a directory', [file('a'), file('a/b')], /is none/],
  ['a top that is no directory', [file('.')], /top/],
  ['a top that is a link', [symlink('.', '/etc')], /top/],
  ['links in a circle', [symlink('a', 'b'), symlink('b', 'a'), file('a/x')], /too many links/],
  ['a link without a target', [symlink('a', '')], /no target/],
  ['a name longer than a file system takes', [file('n'.repeat(300))], /ENAMETOOLONG/],
])('%s is refused, and nothing is written outside', async (_what, members, why) => {
  writeFileSync(join(base, 'secret'), 'secret');
  await expect(unpack(members)).rejects.toEqual(bad(why));
  expect(readdirSync(base).toSorted()).toEqual(['layer', 'secret']);
});

test('names through links stay inside the layer, wherever the links lead', async () => {
  const outside = join(base, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'secret'), 'secret');
  const up = '../'.repeat(20);
  await unpack([
    symlink('absolute', outside),
    file('absolute/a', 'x'),
    symlink('relative', `${up}${outside}`),
    file('relative/b', 'x'),
    symlink('twice', 'relative/../outside/..'),
    file('twice/c', 'x'),
    symlink('top', '/'),
    file('top/d', 'x'),
    hardlink('e', 'top/d'),
    symlink('secret', join(outside, 'secret')),
    file('secret', 'x'),
  ]);
  expect(readdirSync(outside)).toEqual(['secret']);
  expect(readFileSync(join(outside, 'secret'), 'utf8')).toBe('secret');
  expect(readdirSync(join(layer, outside)).toSorted()).toEqual(['a', 'b']);
  expect(lstatSync(at('d')).ino).toBe(lstatSync(at('e')).ino);
  expect(existsSync(join(layer, base, 'c'))).toBe(true);
});

test('a hard link through a link to outside finds nothing', async () => {
  writeFileSync(join(base, 'secret'), 'secret');
  await expect(unpack([symlink('out', base), hardlink('stolen', 'out/secret')])).rejects.toEqual(bad(/not there/));
});

test('a hard link to a link is another name of the link', async () => {
  await unpack([symlink('a', '/etc/passwd'), hardlink('b', 'a')]);
  expect(readlinkSync(at('b'))).toBe('/etc/passwd');
});

test('limits on members and bytes can be set', async () => {
  await expect(unpack([file('a'), file('b')], { maximumEntries: 1 })).rejects.toEqual(bad(/allowed/));
  await expect(unpack([file('a', 'xxxx')], { maximumBytes: 3 })).rejects.toEqual(bad(/allowed/));
});

test("what is no archive because it is not what was named is refused with the stream's own reason", async () => {
  async function* wrong(): AsyncGenerator<Buffer> {
    yield Buffer.alloc(2048, 'garbage');
    yield Buffer.alloc(2048, 'garbage');
    throw new Error('another digest');
  }
  await expect(unpackLayer(Readable.from(wrong()), layer, { overlay: 'trusted' })).rejects.toThrow('another digest');
});

test('an abort ends it', async () => {
  const abort = new AbortController();
  const endless = Readable.from(
    (function* () {
      for (let count = 0; ; count++) {
        if (count === 10) abort.abort();
        yield archive([file(`f${count}`)]).subarray(0, 512);
      }
    })(),
  );
  await expect(unpackLayer(endless, layer, { overlay: 'trusted', signal: abort.signal })).rejects.toThrow(/abort/i);
});
