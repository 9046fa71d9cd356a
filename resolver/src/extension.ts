import { workspace, type ExtensionContext } from 'vscode';
import { connectProcess } from './connect-process.ts';
import { register } from './register.ts';

/** On the desktop. */
export function activate(context: ExtensionContext): void {
  const program = (): string => workspace.getConfiguration('devenv').get<string>('path') || 'devenv';
  register(context, connectProcess(program), ['devenv']);
}
