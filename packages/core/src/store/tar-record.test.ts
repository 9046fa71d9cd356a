import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { recordedTar, TarRecorder } from './tar-record.ts';
import { unpackLayer } from './unpack-layer.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'devenv-record-'));
  mkdirSync(at('tree/deep/er'), { recursive: true });
  mkdirSync(at('layer'));
  writeFileSync(at('tree/deep/er/one'), 'x'.repeat(70_000));
  writeFileSync(at('tree/deep/two'), 'two');
  writeFileSync(at('tree/empty'), '');
  writeFileSync(at(`tree/${'long'.repeat(40)}`), 'long');
  writeFileSync(at('tree/sparse'), 'begin');
  truncateSync(at('tree/sparse'), 1_000_000);
  writeFileSync(at('tree/sparse'), 'end', { flag: 'a' });
});
afterEach(() => rmSync(base, { recursive: true }));

const at = (name: string): string => join(base, name);
const place = () => ({ record: at('record'), replaced: at('replaced') });
const tarOf = (...args: readonly string[]): Buffer =>
  execFileSync('tar', ['-C', at('tree'), ...args, '-cf', '-', '.'], { maxBuffer: 2 ** 28 });

async function roundTrip(tar: Buffer, cut: number): Promise<Buffer> {
  using recorder = new TarRecorder(place());
  const pieces: Buffer[] = [];
  for (let start = 0; start < tar.length; start += cut) pieces.push(tar.subarray(start, start + cut));
  await unpackLayer(Readable.from(pieces), at('layer'), { overlay: 'trusted', recorder });
  return buffer(recordedTar(place(), at('layer')));
}

test.each(['gnu', 'posix', 'ustar', 'v7'])('an archive in the form %s is made again to the last byte, however it was cut', async (form) => {
  const tar = tarOf(
    `--format=${form}`,
    ...(form === 'gnu' || form === 'posix' ? ['--sparse'] : []),
    ...(form.endsWith('7') || form === 'ustar' ? ['--exclude=long*'] : []),
  );
  for (const cut of [tar.length, 1, 999]) {
    if (cut === 1 && tar.length > 400_000) continue;
    rmSync(at('layer'), { recursive: true });
    rmSync(at('record'), { force: true });
    mkdirSync(at('layer'));
    expect((await roundTrip(tar, cut)).equals(tar)).toBe(true);
  }
});

test('what a later member replaced is kept apart, a folder with all that was in it too', async () => {
  const first = tarOf();
  rmSync(at('tree'), { recursive: true });
  mkdirSync(at('tree/deep'), { recursive: true });
  writeFileSync(at('tree/deep/two'), 'another two');
  writeFileSync(at('tree/deep/er'), 'a folder that became a file');
  const both = Buffer.concat([withoutEnd(first), tarOf()]);
  expect((await roundTrip(both, 10_000)).equals(both)).toBe(true);
  expect(readFileSync(at('layer/deep/two'), 'utf8')).toBe('another two');
});

test('what follows the end of the archive is a part of it', async () => {
  const tar = Buffer.concat([tarOf(), Buffer.from('and something more')]);
  expect((await roundTrip(tar, 4096)).equals(tar)).toBe(true);
});

test('a file that became shorter is noticed, and the record is small', async () => {
  const tar = tarOf();
  await roundTrip(tar, 4096);
  expect(statSync(at('record')).size).toBeLessThan(2000);
  truncateSync(at('layer/deep/er/one'), 10);
  await expect(buffer(recordedTar(place(), at('layer')))).rejects.toMatchObject({ code: 'BAD_ARCHIVE' });
});

/** The blocks of zeros at the end of an archive are cut off. */
function withoutEnd(tar: Buffer): Buffer {
  let end = tar.length;
  while (tar.subarray(end - 512, end).every((byte) => byte === 0)) end -= 512;
  return tar.subarray(0, end);
}
