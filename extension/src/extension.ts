import type { ExtensionContext } from 'vscode';

/** Called by the editor when one of the extension's contributions is first used. It has none yet. */
export function activate(_context: ExtensionContext): void {}
