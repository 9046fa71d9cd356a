import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import type { Container, Process } from '../engine/engine.ts';
import { bridge } from './bridge.ts';
import { editorTree } from './editor-parts.ts';

const directory = mkdtempSync(join(tmpdir(), 'devenv-bridge-'));
const { node } = editorTree(directory, 'key');
mkdirSync(dirname(node), { recursive: true });
writeFileSync(node, '');
afterAll(() => rmSync(directory, { recursive: true }));

const absent = (): Promise<Process> => Promise.reject(new UserError('COMMAND_NOT_FOUND', 'node: no such file'));
const ends = (exitCode: number) => (): Promise<Process> =>
  Promise.resolve({ kill() {}, exit: Promise.resolve({ exitCode, oomKilled: false }) } as unknown as Process);

test.each([
  ['an image without glibc', absent, expect.stringContaining('glibc 2.28 and libstdc++')],
  ['an image without libstdc++', ends(127), expect.stringContaining('glibc 2.28 and libstdc++')],
  ['a server that fails', ends(1), undefined],
])('%s is told, with what the server needs where that is why', async (_what, exec, hint) => {
  const customizations = { extensions: [], settings: {} };
  const { signal } = new AbortController();
  const container: Pick<Container, 'exec'> = { exec };
  await expect(bridge(container, { directory, key: 'key', customizations, name: 'shop', signal })).rejects.toMatchObject({
    code: 'EDITOR_FAILED',
    hint,
  });
});
