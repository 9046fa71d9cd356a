import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { dispatch } from '../dispatch.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'devenv-init-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('init shows the file it wrote, what it recognised and the next command; config reads it', async () => {
  writeFileSync(join(folder, 'package.json'), '{}');
  const { code, stdout, stderr } = await said('init');
  expect(code).toBe(0);
  expect(stdout).toBe(readFileSync(join(folder, 'devenv.json'), 'utf8'));
  expect(stderr).toBe('\nRecognised: Node.js (package.json)\nWrote devenv.json\n\nnext: devenv up\n');
  const { stdout: shown } = await said('config');
  expect(JSON.parse(shown)).toEqual({ image: 'docker.io/library/node:24-bookworm', user: 'dev' });
  const { stdout: origins } = await said('config', '--origins');
  expect(origins.split('\n').slice(0, 3)).toEqual([
    'image           devenv.json:5:12  "docker.io/library/node:24-bookworm"',
    'user            devenv.json:8:11  "dev"',
    expect.stringMatching(/^name +default +"devenv-init-/),
  ]);
});

test('init says how to get on where there is a devenv.json', async () => {
  writeFileSync(join(folder, 'devenv.json'), '{}');
  expect(await said('init')).toEqual({
    code: 2,
    stdout: '',
    stderr: 'Error: There is a devenv.json already.\nHint: devenv init --dry-run shows what it would say; --force replaces it.\n',
  });
});

test('init --json is one object with the files', async () => {
  const { stdout } = await said('init', '--json', '--dry-run', '--ci', 'gitlab');
  expect(JSON.parse(stdout)).toMatchObject({
    schema: 1,
    outcome: 'success',
    recognised: [],
    files: ['devenv.json', '.gitlab-ci.yml'].map((name) => ({ path: join(folder, name), state: 'not written' })),
  });
});

test.each([
  [['init', '--base', 'alpine'], 'debian'],
  [['init', '--base', 'debian', '--from', 'node'], '--from'],
  [['init', '--ci', 'jenkins'], 'github, gitlab'],
])('%j is refused', async (words, named) => {
  const { code, stderr } = await said(words[0]!, ...words.slice(1));
  expect({ code, names: stderr.includes(named) }).toEqual({ code: 2, names: true });
});

async function said(
  verb: string,
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const text = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((chunk: string | Uint8Array, ...[done]: unknown[]) => {
      text[name] += stripVTControlCharacters(String(chunk));
      if (typeof done === 'function') done();
      return true;
    }),
  );
  try {
    return { code: await dispatch(verb, [...words, '-C', folder, '--progress', 'plain']), ...text };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
