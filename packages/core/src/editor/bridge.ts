import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { editorPath, type Container } from '../engine/engine.ts';
import { execute } from '../session/execute.ts';
import { bridgeCommand } from './bridge-program.ts';
import type { Customizations } from './customizations.ts';
import { editorTree } from './editor-parts.ts';

export interface BridgeOptions {
  /** Directories.editor. */
  readonly directory: string;
  /** Folder in it whose server the editor speaks to. */
  readonly key: string;
  /** undefined: what the server was given stays. */
  readonly customizations: Customizations | undefined;
  /** Of the environment. */
  readonly name: string;
  readonly signal: AbortSignal;
}

/**
 * Connects our own stdin and stdout to the editor's server in a running container, which is started when it does not run: one line of
 * JSON (`Greeting`), then the server's protocol. Ends with either side.
 * @throws UserError EDITOR_FAILED, NOT_RUNNING
 */
export async function bridge(container: Pick<Container, 'exec'>, options: BridgeOptions): Promise<void> {
  const { directory, key, customizations, name, signal } = options;
  if (!existsSync(editorTree(directory, key).node))
    throw new UserError('EDITOR_FAILED', `There is no server for this editor in ${join(directory, key)}.`, {
      hint: 'Fetch it: devenv code',
    });
  const inside = editorTree(editorPath, key);
  const { exitCode } = await startIn(container, bridgeCommand(inside.node, { server: inside.server, customizations, name }), signal);
  if (exitCode === 0) return;
  // 127 is the loader's, which misses a library and has named it.
  const hint = exitCode === 127 ? { hint: `${needs} in the image` } : {};
  throw new UserError('EDITOR_FAILED', "The editor's server in the environment cannot be reached; it says why above.", hint);
}

const needs = 'It needs glibc 2.28 and libstdc++';

async function startIn(
  ...[container, command, signal]: [Pick<Container, 'exec'>, readonly string[], AbortSignal]
): ReturnType<typeof execute> {
  try {
    return await execute(container, command, { terminal: false, workdir: '/', signal });
  } catch (error) {
    if (!(error instanceof UserError) || (error.code !== 'COMMAND_NOT_FOUND' && error.code !== 'COMMAND_NOT_EXECUTABLE')) throw error;
    throw new UserError('EDITOR_FAILED', `The editor's server cannot run in this environment: ${error.message}`, {
      hint: `${needs} in the image; an environment that an earlier devenv started: devenv stop && devenv up`,
      cause: error,
    });
  }
}
