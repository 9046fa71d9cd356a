import { execFileSync } from 'node:child_process';
import {
  closeSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { writeOutput } from './write-output.ts';

const folder = mkdtempSync(join(tmpdir(), 'devenv-output-'));
afterAll(() => rmSync(folder, { recursive: true }));

const at = (name: string): string => join(folder, name);
const never = new AbortController().signal;
const written = (output: string | Writable, text = 'new', signal = never): Promise<void> =>
  writeOutput(output, async (write) => write(Buffer.from(text)), signal);

test('a file is replaced when all is written; a failure leaves what was there and nothing beside it', async () => {
  writeFileSync(at('file'), 'old');
  const failing = writeOutput(
    at('file'),
    async (write) => {
      await write(Buffer.from('half'));
      throw new Error('broken');
    },
    never,
  );
  await expect(failing).rejects.toThrow('broken');
  expect([readFileSync(at('file'), 'utf8'), readdirSync(folder)]).toEqual(['old', ['file']]);
  await written(at('file'));
  expect([readFileSync(at('file'), 'utf8'), readdirSync(folder)]).toEqual(['new', ['file']]);
});

test('a link stays one, and what it leads to is written, there or not', async () => {
  writeFileSync(at('target'), 'old');
  symlinkSync('target', at('link'));
  symlinkSync('not-yet', at('dangling'));
  for (const name of ['link', 'dangling']) {
    await written(at(name));
    expect([lstatSync(at(name)).isSymbolicLink(), readFileSync(at(name), 'utf8')]).toEqual([true, 'new']);
  }
  expect(lstatSync(at('not-yet')).isFile()).toBe(true);
});

test('a pipe gets all bytes as its reader takes them, and stays a pipe; without a reader the waiting can be ended', async () => {
  execFileSync('mkfifo', [at('pipe')]);
  const text = 'x'.repeat(1_000_000);
  const reading = new Promise<string>((resolve, reject) => {
    const chunks: Buffer[] = [];
    const reader = openSync(at('pipe'), 0o4000); // O_NONBLOCK
    const timer = setInterval(() => {
      const chunk = Buffer.alloc(100_000);
      try {
        chunks.push(chunk.subarray(0, readSync(reader, chunk)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') reject(error);
      }
      if (chunks.reduce((sum, { length }) => sum + length, 0) < text.length) return;
      clearInterval(timer);
      closeSync(reader);
      resolve(Buffer.concat(chunks).toString());
    }, 1);
  });
  await written(at('pipe'), text);
  expect([(await reading) === text, lstatSync(at('pipe')).isFIFO()]).toEqual([true, true]);
  await expect(written(at('pipe'), 'x', AbortSignal.timeout(100))).rejects.toThrow('aborted');
});

test.runIf(process.getuid!() === 0)('a device is written to and stays one; a disk is refused', async () => {
  execFileSync('mknod', [at('null'), 'c', '1', '3']);
  execFileSync('mknod', [at('full'), 'c', '1', '7']);
  execFileSync('mknod', [at('disk'), 'b', '7', '250']);
  await written(at('null'));
  await expect(written(at('full'))).rejects.toMatchObject({ code: 'DISK_FULL', message: `There is no space left for ${at('full')}.` });
  await expect(written(at('disk'))).rejects.toMatchObject({ code: 'BAD_VALUE' });
  expect(['null', 'full', 'disk'].map((name) => lstatSync(at(name)).isFile())).toEqual([false, false, false]);
});

test('what cannot be written is said as the mistake that it is', async () => {
  writeFileSync(at('plain'), '');
  await expect(written(folder)).rejects.toMatchObject({ code: 'BAD_VALUE', message: `${folder} is a directory.` });
  await expect(written(at('none/a'))).rejects.toMatchObject({ code: 'FILE_NOT_FOUND', message: `There is no directory ${at('none')}.` });
  await expect(written(at('plain/a'))).rejects.toMatchObject({
    code: 'NOT_WRITABLE',
    message: `${at('plain/a')} cannot be written: not a directory.`,
  });
});

test('a stream that fails is said by what it is; one whose reader has gone fails with EPIPE', async () => {
  const failing = (code: string, errno: number): Writable =>
    new Writable({ write: (_chunk, _encoding, done) => done(Object.assign(new Error(code), { code, errno, syscall: 'write' })) });
  await expect(written(failing('ENOSPC', -28))).rejects.toMatchObject({ code: 'DISK_FULL', message: 'There is no space left for stdout.' });
  await expect(written(failing('EPIPE', -32))).rejects.toMatchObject({ code: 'EPIPE' });
});
