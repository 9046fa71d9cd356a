import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const base = mkdtempSync(join(tmpdir(), 'devenv-cli-'));
const main = fileURLToPath(new URL('../dist/main.js', import.meta.url)); // as it is built: `exec` is a file of its own there
afterAll(() => rmSync(base, { recursive: true }));

test('devenv alone, where there is no devenv.json, names the command that writes one', () => {
  const { code, stdout, stderr } = devenv();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toContain('devenv init ');
  expect(stdout).toContain('devenv up ');
});

test('exec where there is no devenv.json says so and exits with 125', () => {
  expect(devenv('exec', 'true')).toMatchObject({
    code: 125,
    stdout: '',
    stderr: expect.stringMatching(/^Error: There is no devenv\.json .*\nHint: /u) as string,
  });
});

test('a folder that was removed under the shell is named as what is wrong', () => {
  const gone = mkdtempSync(join(base, 'gone-'));
  const script = 'rmdir "$PWD"; exec "$0" "$@"';
  const { status, stderr } = spawnSync('sh', ['-c', script, process.execPath, main, 'ps'], { cwd: gone, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: expect.stringMatching(/^Error: The current folder is gone\.\nHint: /) as string,
  });
});

function devenv(...argv: string[]): { code: number | null; stdout: string; stderr: string } {
  const env = { PATH: process.env['PATH'], HOME: base, DEVENV_BASE_DIR: join(base, 'devenv') };
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...argv], {
    cwd: base,
    env,
    timeout: 15_000,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
}
