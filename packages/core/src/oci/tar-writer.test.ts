import { execFileSync, spawnSync } from 'node:child_process';
import {
  createWriteStream,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeNode, setAttribute, setTimes } from '../base/system-calls.ts';
import { TarReader } from './tar-reader.ts';
import { canonicalTar, diffIdOf } from './tar-writer.ts';

const isRoot = process.getuid?.() === 0;

let base: string;
beforeEach(() => void (base = mkdtempSync(join(tmpdir(), 'devenv-write-'))));
afterEach(() => rmSync(base, { recursive: true }));

async function bytesOf(directory: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of canonicalTar(directory)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function namesOf(directory: string): Promise<string[]> {
  const names: string[] = [];
  const reader = new TarReader({
    entry: ({ name, target }) => void names.push(target === '' ? name : `${name} → ${target}`),
    data() {},
    end() {},
  });
  reader.write(await bytesOf(directory));
  reader.end();
  return names;
}

/** The same tree, made in one order or the other. */
function makeTree(directory: string, reversed: boolean): void {
  mkdirSync(directory);
  const makers: (() => void)[] = [
    () => writeFileSync(join(directory, 'b'), 'second'),
    () => mkdirSync(join(directory, 'a-b')),
    () => (mkdirSync(join(directory, 'a'), { recursive: true }), writeFileSync(join(directory, 'a/z'), 'z')),
    () => symlinkSync('b', join(directory, 'ä')),
    () => writeFileSync(join(directory, 'n'.repeat(200)), 'long'),
  ];
  for (const make of reversed ? makers.toReversed() : makers) make();
  for (const name of ['a/z', 'a', 'a-b', 'b', 'ä', 'n'.repeat(200), '.']) lutimesSync(join(directory, name), 1000.7, 1000.7);
}

test('two trees that are the same give the same bytes, in whatever order they were made', async () => {
  makeTree(join(base, 'one'), false);
  makeTree(join(base, 'two'), true);
  expect(await bytesOf(join(base, 'one'))).toEqual(await bytesOf(join(base, 'two')));
  expect(await diffIdOf(join(base, 'one'))).toBe(await diffIdOf(join(base, 'two')));
});

test('members come in byte order, a directory before its content, a further name as a link to the first', async () => {
  makeTree(join(base, 'tree'), false);
  linkSync(join(base, 'tree/b'), join(base, 'tree/a/first'));
  expect(await namesOf(join(base, 'tree'))).toEqual(['./', 'a/', 'a/first', 'a/z', 'a-b/', 'b → a/first', 'n'.repeat(200), 'ä → b']);
});

if (isRoot)
  test('the bytes of a tree are these on every machine', async () => {
    // A change here changes the identity of every layer: raise layerFormat.
    const tree = join(base, 'tree');
    mkdirSync(tree, { mode: 0o755 });
    writeFileSync(join(tree, 'file'), 'content', { mode: 0o644 });
    setAttribute(join(tree, 'file'), 'user.note', Buffer.from('x'));
    symlinkSync('file', join(tree, 'link'));
    makeNode(join(tree, 'gone'), 0o020000, 0, 0);
    for (const name of ['file', 'link', '.']) setTimes(join(tree, name), 1_000_000_000, 999_999_999);
    expect(await diffIdOf(tree)).toMatchInlineSnapshot(`"sha256:2b020210a85fea9c6a580d76ce95e177b2ba00b51ce1f3d07148b462a67f8aa8"`);
  });

if (isRoot)
  test('what overlayfs writes becomes whiteouts, and nothing of overlayfs is left', async () => {
    const tree = join(base, 'tree');
    mkdirSync(join(tree, 'opaque'), { recursive: true });
    mkdirSync(join(tree, 'other'));
    writeFileSync(join(tree, 'opaque/!first'), '');
    setAttribute(join(tree, 'opaque'), 'trusted.overlay.opaque', Buffer.from('y'));
    setAttribute(join(tree, 'other'), 'trusted.overlay.origin', Buffer.from('1'));
    setAttribute(join(tree, 'other'), 'trusted.overlay.impure', Buffer.from('y'));
    makeNode(join(tree, 'zz'), 0o020000, 0, 0);
    linkSync(join(tree, 'zz'), join(tree, 'yy')); // overlayfs links its whiteouts to one
    expect(await namesOf(tree)).toEqual(['./', '.wh.yy', '.wh.zz', 'opaque/', 'opaque/.wh..wh..opq', 'opaque/!first', 'other/']);
    expect((await bytesOf(tree)).includes('overlay')).toBe(false);
  });

if (isRoot)
  test('file capabilities lose the user namespace that wrote them', async () => {
    const [one, two] = [join(base, 'one'), join(base, 'two')];
    for (const tree of [one, two]) {
      mkdirSync(tree);
      writeFileSync(join(tree, 'ping'), '');
    }
    setAttribute(join(one, 'ping'), 'security.capability', Buffer.from('0100000200200000000000000000000000000000', 'hex'));
    const inNamespace = '010000030020000000000000000000000000000000000000';
    const withRootId = Buffer.from(inNamespace, 'hex');
    withRootId.writeUInt32LE(100000, 20);
    setAttribute(join(two, 'ping'), 'security.capability', withRootId);
    for (const tree of [one, two]) for (const name of ['ping', '.']) setTimes(join(tree, name), 1, 0);
    expect(await diffIdOf(one)).toBe(await diffIdOf(two));
  });

test('a file whose name says that another was deleted is refused', async () => {
  const tree = join(base, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, '.wh.a'), '');
  await expect(diffIdOf(tree)).rejects.toEqual(expect.objectContaining({ code: 'NOT_SUPPORTED' }));
});

test('sockets are left out, holes are zeros', async () => {
  const tree = join(base, 'tree');
  mkdirSync(tree);
  writeFileSync(join(tree, 'sparse'), '');
  truncateSync(join(tree, 'sparse'), 3_000_000);
  const server = createServer().listen(join(tree, 'socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  expect(await namesOf(tree)).toEqual(['./', 'sparse']);
  expect((await bytesOf(tree)).length).toBe(512 + 512 + 3_000_320 + 1024);
  server.close();
});

if (isRoot)
  test('GNU tar finds no difference between a tree and its archive', async () => {
    const tree = join(base, 'tree');
    makeTree(tree, false);
    setAttribute(join(tree, 'a/z'), 'user.note', Buffer.from('text'));
    const script = `cd "$1"; chown 3000000:2097152 b; chmod 6755 b; mkfifo fifo; mknod device c 5 300; mknod disk b 259 1;
    ln b hard; printf x >"$(printf 'odd-\\377')"; find . -exec touch -h -d @1000 {} + ; touch -d @-5 a/z; touch -d @99999999999 a-b`;
    execFileSync('sh', ['-e', '-c', script, 'sh', tree]);
    await pipeline(canonicalTar(tree), createWriteStream(join(base, 'tar')));
    const compared = spawnSync('tar', ['--compare', '--xattrs', '-f', join(base, 'tar'), '-C', tree], { encoding: 'utf8' });
    expect(compared.stdout + compared.stderr).toBe('');
    const copy = join(base, 'copy');
    mkdirSync(copy);
    execFileSync('tar', ['--xattrs', '--numeric-owner', '-xpf', join(base, 'tar'), '-C', copy]);
    expect(await diffIdOf(copy)).toBe(await diffIdOf(tree));
    expect(readFileSync(join(base, 'tar')).length % 512).toBe(0);
  });
