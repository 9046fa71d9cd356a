import { chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { foreignFiles } from './foreign-files.ts';

test.runIf(process.getuid!() === 0)('files of nobody are counted at any depth, by their user or their group', () => {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-foreign-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'etc/deep'), { recursive: true });
  for (const name of ['mine', 'etc/shadow', 'etc/deep/group']) writeFileSync(join(folder, name), '');
  expect(foreignFiles(folder)).toEqual({ count: 0, examples: [] });
  chownSync(join(folder, 'etc/shadow'), 65_534, 0);
  chownSync(join(folder, 'etc/deep/group'), 0, 65_534);
  expect(foreignFiles(folder)).toEqual({ count: 2, examples: expect.arrayContaining(['etc/shadow', 'etc/deep/group']) as string[] });
});
