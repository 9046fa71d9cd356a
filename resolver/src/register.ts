import { commands, EventEmitter, ManagedResolvedAuthority, RemoteAuthorityResolverError, version, window, workspace } from 'vscode';
import type { Disposable, ExtensionContext, ManagedMessagePassing, ResolverResult } from 'vscode';
import { greet, keepGreeting, type Connect, type Greeted, type Pipe } from './connect.ts';
import { differentVersions } from './different-versions.ts';
import { plainReason } from './plain-reason.ts';

/**
 * Milliseconds for making a connection again: a little more than the editor waits for it (RECONNECT_TIMEOUT of remoteAgentConnection.ts). What fails
 * before that it takes for final, and says that its extension host has ended unexpectedly; what takes too long it asks for again.
 */
const patience = 32_000;

/** What a container's window is: who made the environment has run what its file says, and it can do no more than that. */
const ofContainers = 'devenv+';

/** Windows of `devenv+ENVIRONMENTID`, and of this machine where the editor is a page, are joined to a server by way of `connect`. */
export function register(context: ExtensionContext, connect: Connect, prefixes: readonly string[]): void {
  const labels = new Map<string, Disposable>();
  /** Of the server that the window of an authority has begun with. */
  const tokens = new Map<string, string>();
  context.subscriptions.push({ dispose: () => labels.forEach((label) => label.dispose()) });
  for (const prefix of prefixes) context.subscriptions.push(workspace.registerRemoteAuthorityResolver(prefix, { resolve }));

  async function resolve(authority: string, { resolveAttempt }: { readonly resolveAttempt: number }): Promise<ResolverResult> {
    const named = decodeURIComponent(authority);
    // The first connection is made now: it says the token, and if there is none, why.
    let first: Greeted | undefined = await greet(connect(named)).catch((error: Error) => {
      // A window that was joined before goes on trying.
      throw resolveAttempt > 1 ? RemoteAuthorityResolverError.TemporarilyNotAvailable(error.message) : refused(error.message);
    });
    const { greeting } = await knowing(named, first);
    const mismatch = differentVersions(version, greeting.version);
    if (mismatch !== undefined) {
      first.pipe.close();
      throw refused(mismatch);
    }
    if (greeting.name !== undefined && !labels.has(named)) labels.set(named, labelled(named, greeting.name));
    if (greeting.missing?.length) tellMissing(greeting.missing);
    const resolved = new ManagedResolvedAuthority(async () => {
      const { pipe } = first ?? (await knowing(named, await keepGreeting(() => connect(named), patience)));
      first = undefined;
      return messages(pipe);
    }, greeting.token);
    return named.startsWith(ofContainers) ? Object.assign(resolved, { isTrusted: true }) : resolved;
  }

  /** Never, where another server has taken its place: of that the editor would hear that it cannot reconnect. The window is loaded anew. */
  async function knowing(named: string, greeted: Greeted): Promise<Greeted> {
    const { token } = greeted.greeting;
    const known = tokens.get(named) ?? token;
    tokens.set(named, known);
    if (token === known) return greeted;
    greeted.pipe.close();
    await loadAnew();
    return await new Promise(() => {});
  }
}

/** By extension/, where that is: what it does now would end with the window. The editor soon asks for the connection again, and so do we. */
async function loadAnew(): Promise<void> {
  try {
    await commands.executeCommand('devenv.loadAnew');
  } catch {
    await commands.executeCommand('workbench.action.reloadWindow');
  }
}

/** Told by us: the editor would say that an unexpected error needs a reload. */
function refused(reason: string): Error {
  const text = `This window cannot be joined to its environment: ${plainReason(reason)}`;
  void window.showErrorMessage(text, 'Try Again').then((chosen) => chosen && commands.executeCommand('workbench.action.reloadWindow'));
  return RemoteAuthorityResolverError.NotAvailable(reason, true);
}

/** The server says so in its log only. */
function tellMissing(files: readonly string[]): void {
  void window.showWarningMessage(`Extensions that devenv.json names are not in the environment: ${files.join(', ')}`);
}

/** Titles and the status bar say which environment it is, and not only that it is one, as package.json does. */
function labelled(authority: string, name: string): Disposable {
  const formatting = { label: '${path}', separator: '/', tildify: true, workspaceSuffix: `devenv: ${name}` } as const;
  return workspace.registerResourceLabelFormatter({ scheme: 'vscode-remote', authority, formatting });
}

/** Only `onDidClose` tells of an end: after `onDidEnd` the editor waits long before it connects again. */
function messages(pipe: Pipe): ManagedMessagePassing {
  const [data, close, end] = [new EventEmitter<Uint8Array>(), new EventEmitter<Error | undefined>(), new EventEmitter<void>()];
  let listened = false;
  pipe.onClose((reason) => close.fire(new Error(reason || 'The connection to the environment has ended.')));
  return {
    onDidReceiveMessage: (listener, self, disposables) => {
      const disposable = data.event(listener, self, disposables);
      if (!listened) pipe.onData((bytes) => data.fire(bytes));
      listened = true;
      return disposable;
    },
    onDidClose: close.event,
    onDidEnd: end.event,
    send: (bytes) => pipe.send(bytes),
    end: () => pipe.close(),
  };
}
