import { workspace } from 'vscode';

/** devenv itself: the setting, else the one in the PATH. */
export function program(): string {
  return workspace.getConfiguration('devenv').get<string>('path') || 'devenv';
}
