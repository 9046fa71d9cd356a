import { chmodSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { readJson } from '../base/files.ts';
import { lock } from '../base/locks.ts';
import { run } from '../base/processes.ts';
import { keyOf, unfinished } from './editor-parts.ts';

/**
 * Idempotent: afterwards the server of a desktop editor, a "reh" build that somebody has unpacked in `folder`, is in the directory of
 * editors, where environments see it. @throws UserError EDITOR_FAILED
 */
export async function addServer(folder: string, directory: string, signal: AbortSignal): Promise<void> {
  const { commit } = readJson<{ readonly commit?: string }>(join(folder, 'product.json')) ?? {};
  const parts = ['out/server-main.js', 'node'];
  if (commit === undefined || !/^[0-9a-f]{40}$/.test(commit) || !parts.every((part) => existsSync(join(folder, part))))
    throw new UserError(
      'EDITOR_FAILED',
      `${folder} holds no server of VS Code: product.json, node and out/server-main.js are looked for there.`,
      {
        hint: 'DEVENV_EDITOR_SERVER names the folder of an unpacked "reh" build.',
      },
    );
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  using _lock = await lock(`${directory}.lock`, { signal });
  if (keyOf(commit, directory) !== undefined) return;
  const making = mkdtempSync(join(directory, unfinished));
  try {
    chmodSync(making, 0o755);
    const { exitCode, stderr } = await run('cp', ['-R', '--reflink=auto', folder, join(making, 'server')]);
    if (exitCode !== 0) throw new UserError('EDITOR_FAILED', `The server could not be copied: ${stderr.trim()}`);
    renameSync(join(making, 'server/node'), join(making, 'node'));
    renameSync(making, join(directory, `server-${commit}-${process.arch}`));
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}
