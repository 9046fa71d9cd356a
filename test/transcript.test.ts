import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runProcess } from './rig.ts';
import { seedFolder } from './seed.ts';

const script = fileURLToPath(new URL('../scripts/transcript.mjs', import.meta.url));

test('README and docs/first-five-minutes.md show what devenv does', { timeout: 300_000 }, async () => {
  const result = await runProcess(process.execPath, [script, '--check', '--data', join(seedFolder(), 'data')]);
  expect(result.stderr).toBe('');
  expect(result.exitCode).toBe(0);
});
