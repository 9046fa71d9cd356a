import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { moveToTrash } from './discard-layers.ts';

test('what goes is gone, also while others empty the trash', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'devenv-trash-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const empty = `for (;;) try { require('node:fs').rmSync(process.argv[1], { recursive: true, force: true }) } catch {}`;
  const other = spawn(process.execPath, ['-e', `process.stdout.write('.'); ${empty}`, join(folder, 'trash')]);
  onTestFinished(() => void other.kill('SIGKILL'));
  await once(other.stdout, 'data');
  for (let number = 0; number < 3000; number++) {
    mkdirSync(join(folder, 'layer'));
    expect(moveToTrash(folder, join(folder, 'layer'))).toHaveLength(1);
  }
  expect(moveToTrash(folder, join(folder, 'layer'))).toEqual([]);
  expect(readdirSync(folder).filter((name) => name !== 'trash')).toEqual([]);
});
