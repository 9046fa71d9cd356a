import type { ExtensionContext } from 'vscode';
import { launchProcess } from './launch-process.ts';
import { program } from './program.ts';
import { start } from './start.ts';

/** In an editor whose extensions are processes on the machine that has the folders. */
export function activate(context: ExtensionContext): void {
  start(context, launchProcess(program), program);
}
