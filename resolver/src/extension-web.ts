import { Uri, type ExtensionContext } from 'vscode';
import { connectSocket } from './connect-socket.ts';
import { register } from './register.ts';

/** In a page that `devenv code` serves: also its windows of this machine are joined to a server. */
export function activate(context: ExtensionContext): void {
  const { scheme, authority, path } = Uri.joinPath(context.extensionUri, '../connect');
  register(context, connectSocket(`${scheme === 'https' ? 'wss' : 'ws'}://${authority}${path}`), ['devenv', 'devenv-host']);
}
