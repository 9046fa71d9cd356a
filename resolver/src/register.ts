import { commands, EventEmitter, ManagedResolvedAuthority, RemoteAuthorityResolverError, version, window, workspace } from 'vscode';
import type { Disposable, ExtensionContext, ManagedMessagePassing, Memento, ResolverResult } from 'vscode';
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
  /** Decided once for each load of the window. */
  let loadsAnew: Promise<boolean> | undefined;
  context.subscriptions.push({ dispose: () => labels.forEach((label) => label.dispose()) });
  for (const prefix of prefixes) context.subscriptions.push(workspace.registerRemoteAuthorityResolver(prefix, { resolve }));

  async function resolve(authority: string, { resolveAttempt }: { readonly resolveAttempt: number }): Promise<ResolverResult> {
    const named = decodeURIComponent(authority);
    // The first connection is made now: it says the token, and if there is none, why.
    let first: Greeted | undefined = await greet(connect(named)).catch((error: Error) => {
      // A window that was joined before goes on trying.
      throw resolveAttempt > 1 ? RemoteAuthorityResolverError.TemporarilyNotAvailable(error.message) : refused(error.message);
    });
    const { greeting } = await fromSameServer(named, first);
    const mismatch = differentVersions(version, greeting.version);
    if (mismatch !== undefined) {
      first.pipe.close();
      throw refused(mismatch);
    }
    if (greeting.name !== undefined && !labels.has(named)) labels.set(named, labelled(named, greeting.name));
    for (const problem of greeting.problems ?? []) void window.showWarningMessage(problem); // else they are in the server's log only
    const resolved = new ManagedResolvedAuthority(async () => {
      const { pipe } = first ?? (await fromSameServer(named, await keepGreeting(() => connect(named), patience)));
      first = undefined;
      return messages(pipe);
    }, greeting.token);
    return named.startsWith(ofContainers) ? Object.assign(resolved, { isTrusted: true }) : resolved;
  }

  /** Never, where another server has taken its place: of that the editor would hear that it cannot reconnect. The window is loaded anew. */
  async function fromSameServer(named: string, greeted: Greeted): Promise<Greeted> {
    const { token } = greeted.greeting;
    const known = tokens.get(named) ?? token;
    tokens.set(named, known);
    if (token === known) return greeted;
    greeted.pipe.close();
    if (await (loadsAnew ??= mayLoadAnew(context.globalState))) await loadAnew();
    return await new Promise(() => {});
  }
}

/** Whether windows were not loaded anew so often by now that servers which end again and again would take them along without end. */
async function mayLoadAnew(memory: Memento): Promise<boolean> {
  const key = 'loadedAnew';
  const recent = memory.get<readonly number[]>(key, []).filter((time) => time > Date.now() - 120_000);
  if (recent.length >= 5) {
    const text =
      "The editor's server in the environment has ended several times. Is there enough memory for it (limits.memory of devenv.json)?";
    void window.showErrorMessage(text, 'Reload Window').then((chosen) => chosen && reload());
    return false;
  }
  await memory.update(key, [...recent, Date.now()]);
  return true;
}

/** By extension/, where that is: what it does now would end with the window. The editor soon asks for the connection again, and so do we. */
async function loadAnew(): Promise<void> {
  // It may be in an extension host that has ended with the server, and never answer.
  const late = new Promise((_resolve, reject) => setTimeout(() => reject(new Error('no answer')), 10_000));
  await Promise.race([commands.executeCommand('devenv.loadAnew'), late]).catch(reload);
}

async function reload(): Promise<void> {
  await commands.executeCommand('workbench.action.reloadWindow');
}

/** Told by us: the editor would say that an unexpected error needs a reload. */
function refused(reason: string): Error {
  const text = `This window cannot be joined to its environment: ${plainReason(reason)}`;
  void window.showErrorMessage(text, 'Try Again').then((chosen) => chosen && reload());
  return RemoteAuthorityResolverError.NotAvailable(reason, true);
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
