import { Uri, type ExtensionContext } from 'vscode';
import { launchSocket } from './launch-socket.ts';
import { program } from './program.ts';
import { start } from './start.ts';

/** In a page that `devenv code` serves: extensions have no processes there, and the host starts devenv for them. */
export function activate(context: ExtensionContext): void {
  const { scheme, authority, path } = Uri.joinPath(context.extensionUri, '../devenv-cli');
  const url = `${scheme === 'https' ? 'wss' : 'ws'}://${authority}${path}`;
  start(
    context,
    launchSocket(() => new WebSocket(url)),
    program,
  );
}
