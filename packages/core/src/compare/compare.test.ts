import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import { setAttribute } from '../base/system-calls.ts';
import { canonicalTar } from '../oci/tar-writer.ts';
import { compareSides, type Difference, type SectionName } from './compare-sides.ts';
import { compareTrees } from './compare-trees.ts';
import { knownContent, type FileFact, type LayerFacts } from './file-facts.ts';
import { lookUp, stackLayers, walk } from './file-tree.ts';
import { readArchive } from './read-archive.ts';
import { readDirectory } from './read-directory.ts';

let scratch: string;

beforeAll(() => {
  scratch = mkdtempSync(join(realpathSync(tmpdir()), 'devenv-compare-'));
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** `bytes` of a file; `/` of a directory; `-> target` of a link; `-` removed below; `*` an opaque directory. */
function layer(entries: Readonly<Record<string, string | FileFact>>): LayerFacts {
  const facts = { files: new Map<string, FileFact>(), removed: new Set<string>(), opaque: new Set<string>() };
  for (const [path, entry] of Object.entries(entries)) {
    if (entry === '-') facts.removed.add(path);
    else facts.files.set(path, typeof entry === 'string' ? fact(entry) : entry);
    if (entry === '*') facts.opaque.add(path);
  }
  return facts;
}

function fact(text: string): FileFact {
  const common = { uid: 0, gid: 0, seconds: 0, attributes: '' };
  if (text === '/' || text === '*') return { ...common, type: 'directory', mode: 0o755 };
  if (text.startsWith('-> ')) return { ...common, type: 'symlink', mode: 0o777, target: text.slice(3) };
  return { ...common, type: 'file', mode: 0o644, content: knownContent(text.length, text, Buffer.from(text)) };
}

const names = (...layers: LayerFacts[]): string[] => [...walk(stackLayers(layers))].map(([path]) => path);

describe('layers', () => {
  test('what removes, hides or replaces does so to the layers below only', () => {
    const below = layer({ a: '/', 'a/x': '1', 'a/y': '2', b: '/', 'b/z': '3', c: '/', 'c/d': '4' });
    expect(names(below, layer({ 'a/x': '-', b: '*', 'b/new': '5', c: 'a file now' }))).toEqual(['a', 'a/y', 'b', 'b/new', 'c']);
    expect(names(layer({ 'a/x': '-', a: '*', 'a/y': '1' }))).toEqual(['a', 'a/y']);
  });

  test('links are followed as inside, never out of the tree, and not for ever', () => {
    const root = stackLayers([
      layer({ 'usr/lib/x': '1', lib: '-> usr/lib', up: '-> ../../../usr', absolute: '-> /usr/lib/x', loop: '-> loop', gone: '-> none' }),
    ]);
    const at = (path: string): string | undefined => lookUp(root, path)?.fact.content?.sha256();
    expect([at('lib/x'), at('up/lib/x'), at('absolute'), at('loop'), at('gone')]).toEqual(['1', '1', '1', undefined, undefined]);
  });

  test('a directory and its archive tell the same: links, holes, owners, attributes, odd names', async () => {
    const folder = join(scratch, 'tree');
    mkdirSync(join(folder, 'sub'), { recursive: true });
    writeFileSync(join(folder, 'file'), 'x'.repeat(5000), { mode: 0o4755 });
    linkSync(join(folder, 'file'), join(folder, 'second'));
    symlinkSync('../nowhere', join(folder, 'sub/link'));
    writeFileSync(join(folder, 'sparse'), 'end');
    truncateSync(join(folder, 'sparse'), 3_000_000);
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/odd-`), Buffer.of(0xff)]), 'odd');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    setAttribute(join(folder, 'sparse'), 'user.note', Buffer.from('hello'));
    const own = readDirectory(folder);
    const read = await readArchive(canonicalTar(folder));
    expect([...compareTrees(stackLayers([own]), stackLayers([read]))]).toEqual([]);
    const passed = readDirectory(folder, { passing: true });
    rmSync(folder, { recursive: true });
    expect([...compareTrees(stackLayers([passed]), stackLayers([read]))]).toEqual([]);
    expect(names(read)).toEqual(['file', 'odd-\udcff', 'pipe', 'second', 'sparse', 'sub', 'sub/link']);
    expect(read.files.get('sparse')?.attributes).toBe(`user.note=${Buffer.from('hello').toString('hex')}`);
  });

  test.each([
    ['leaves the tree', ['--transform', 's,^,../,']],
    ['links to what is not there', ['--exclude', './file']],
  ])('an archive that %s is refused', async (_what, flags) => {
    const folder = mkdtempSync(join(scratch, 'bad-'));
    writeFileSync(join(folder, 'file'), 'x');
    linkSync(join(folder, 'file'), join(folder, 'second'));
    // GNU tar writes the second name as a link although the first is gone from the list of names.
    const tar = execFileSync('tar', ['-C', folder, '-cP', ...flags, './file', './second']);
    const bytes = flags[0] === '--exclude' ? relinked(tar) : tar;
    const refused = readArchive(pieces(bytes));
    await expect(refused).rejects.toBeInstanceOf(UserError);
    await expect(refused).rejects.toMatchObject({ code: 'BAD_ARCHIVE' });
  });
});

/** A link to `./file`, which is not in the archive. */
function relinked(tar: Buffer): Buffer {
  const header = Buffer.from(tar.subarray(0, 512));
  header.write('1', 156);
  header.fill(0, 157, 257).write('./file', 157);
  header.write('00000000000\0', 124);
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(1024)]);
}

async function* pieces(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function compared(
  name: SectionName,
  a: Readonly<Record<string, string | FileFact>>,
  b: Readonly<Record<string, string | FileFact>>,
  production = false,
): readonly string[] {
  const trees = { a: stackLayers([layer(a)]), b: stackLayers([layer(b)]) };
  const parameters = { a: { platform: 'linux/amd64' }, b: { platform: 'linux/amd64' } };
  const [section] = compareSides({ parameters, trees, only: [name], production });
  return section!.differences.map(brief);
}

function brief({ name, where, what, a, b, package: from, counts }: Difference): string {
  return [name, where, ...(what ?? [a, b]), from && `(${from})`, counts ? '' : 'told'].filter(Boolean).join(' ');
}

const dpkg = (...entries: string[]): string =>
  entries
    .map((entry) => {
      const [name, version, status = 'installed'] = entry.split(' ');
      return `Package: ${name}\nStatus: install ok ${status}\nArchitecture: amd64\nVersion: ${version}\nDescription: x\n more\n`;
    })
    .join('\n');

describe('packages', () => {
  test('those of dpkg count when they are installed; of an image without dpkg, and of apk, too', () => {
    expect(
      compared(
        'packages',
        { 'var/lib/dpkg/status': dpkg('a 1', 'b 1', 'c 1 config-files') },
        { 'var/lib/dpkg/status': dpkg('a 2', 'd 1') },
      ),
    ).toEqual(['a both 1 2', 'b a 1', 'd b 1']);
    const slim = { 'var/lib/dpkg/status.d/tz': 'Package: tz\nVersion: 3\n', 'var/lib/dpkg/status.d/tz.md5sums': 'x  y\n' };
    const alpine = (version: string): object => ({ 'lib/apk/db/installed': `C:Q1\nP:busybox\nV:${version}\nA:x86_64\nF:bin\nR:busybox\n` });
    expect(compared('packages', slim, { ...alpine('1.36') })).toEqual(['busybox b 1.36', 'tz a 3']);
    expect(compared('packages', { a: '1' }, {})).toEqual([]);
  });

  test('a file is told with the package it came with, also where /lib is a link', () => {
    const base = { lib: '-> usr/lib', 'var/lib/dpkg/status': dpkg('a 1') };
    const lists = { 'var/lib/dpkg/info/a:amd64.list': '/.\n/lib\n/lib/a\n/lib/a/data\n' };
    expect(compared('files', { ...base, ...lists, 'usr/lib/a/data': '1' }, { ...base, ...lists, 'usr/lib/a/data': '2' })).toEqual([
      '/usr/lib/a/data both content (a)',
    ]);
    expect(compared('files', { ...base, ...lists, 'usr/lib/a/data': '1' }, { ...base, 'usr/lib/b': '/' })).toEqual([
      '/usr/lib/a a directory 0755 0:0 (a)',
      '/usr/lib/a/data a file 0644 0:0 1 bytes (a)',
      '/usr/lib/b b directory 0755 0:0',
      '/var/lib/dpkg/info a directory 0755 0:0',
      '/var/lib/dpkg/info/a:amd64.list a file 0644 0:0 27 bytes (a)',
    ]);
  });

  test('the C library is told with its version', () => {
    const glibc = {
      'usr/lib/x86_64-linux-gnu/libc.so.6': 'GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n',
      lib: '-> usr/lib',
    };
    const musl = { 'lib/ld-musl-x86_64.so.1': 'x', 'lib/apk/db/installed': 'P:musl\nV:1.2.5-r1\n' };
    expect(compared('libc', glibc, musl)).toEqual(['libc both glibc 2.36 musl 1.2.5']);
    expect(compared('libc', glibc, glibc)).toEqual([]);
  });
});

test('a file differs in each way by itself', () => {
  const file = fact('1');
  const ways: Record<string, FileFact> = {
    content: fact('2'),
    mode: { ...file, mode: 0o4644 },
    owner: { ...file, gid: 7 },
    attributes: { ...file, attributes: 'user.a=00' },
    type: fact('/'),
  };
  for (const [way, other] of Object.entries(ways)) expect(compared('files', { x: file }, { x: other })).toEqual([`/x both ${way}`]);
  expect(compared('files', { x: '-> a' }, { x: '-> b' })).toEqual(['/x both target']);
});

test('beside production, what we have more is told, and so is what follows from having it; what it lacks or changes counts', () => {
  const production = {
    'etc/passwd': 'root:x:0:0:\napp:x:5:5:\n',
    'var/lib/dpkg/status': dpkg('a 1'),
    'srv/app': '1',
    'etc/ld.so.cache': '1',
  };
  const ours = { ...production, 'etc/passwd': `${production['etc/passwd']}dev:x:1000:1000:\n`, 'etc/ld.so.cache': '2', 'opt/tool': 'x' };
  expect(compared('files', ours, production, true)).toEqual([
    '/etc/ld.so.cache both content told',
    '/etc/passwd both content told',
    '/opt a directory 0755 0:0 told',
    '/opt/tool a file 0644 0:0 1 bytes told',
  ]);
  const other = { ...production, 'etc/passwd': 'root:x:0:0:\napp:x:6:6:\n', 'srv/app': '2' };
  expect(compared('files', other, production, true)).toEqual(['/etc/passwd both content', '/srv/app both content']);
  expect(compared('files', { ...production, 'srv/app': '-' }, production, true)).toEqual([
    '/srv b directory 0755 0:0',
    '/srv/app b file 0644 0:0 1 bytes',
  ]);
});

test('values of variables that look secret are hidden; what one side says nothing of is not compared', () => {
  const a = { platform: 'linux/amd64', environment: { MODE: 'dev', API_TOKEN: 'one' }, limits: { cpus: '2' } };
  const b = { platform: 'linux/amd64', environment: { MODE: 'prod', API_TOKEN: 'two' } };
  const sections = compareSides({ parameters: { a, b }, trees: undefined, only: ['environment', 'limits', 'files'], production: false });
  expect(sections).toEqual([
    {
      name: 'environment',
      same: false,
      differences: [
        { name: 'API_TOKEN', where: 'both', a: '(hidden)', b: '(hidden)', counts: true },
        { name: 'MODE', where: 'both', a: 'dev', b: 'prod', counts: true },
      ],
    },
    { name: 'limits', notCompared: 'one side says nothing of it', same: true, differences: [] },
    { name: 'files', same: true, differences: [] },
  ]);
});
