import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { env, workspace, type ExtensionContext } from 'vscode';
import { connectProcess } from './connect-process.ts';
import { register } from './register.ts';

/** On the desktop. */
export function activate(context: ExtensionContext): void {
  const program = (): string => workspace.getConfiguration('devenv').get<string>('path') || 'devenv';
  register(context, connectProcess(program, ownCommit), ['devenv']);
}

/** A server is of the same commit, or it does not talk. */
function ownCommit(): string | undefined {
  try {
    return (JSON.parse(readFileSync(join(env.appRoot, 'product.json'), 'utf8')) as { readonly commit?: string }).commit;
  } catch {
    return undefined;
  }
}
