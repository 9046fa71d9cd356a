import { EventEmitter, ManagedResolvedAuthority, RemoteAuthorityResolverError, version, workspace } from 'vscode';
import type { ExtensionContext, ManagedMessagePassing } from 'vscode';
import { greet, type Connect, type Pipe } from './connect.ts';
import { differentVersions } from './different-versions.ts';

/** Windows of `devenv+ENVIRONMENTID`, and of this machine where the editor is a page, are joined to a server by way of `connect`. */
export function register(context: ExtensionContext, connect: Connect, prefixes: readonly string[]): void {
  for (const prefix of prefixes) context.subscriptions.push(workspace.registerRemoteAuthorityResolver(prefix, { resolve }));

  async function resolve(authority: string): Promise<ManagedResolvedAuthority> {
    const named = decodeURIComponent(authority);
    // The first connection is made now: it says the token, and if there is none, why.
    let first: Awaited<ReturnType<typeof greet>> | undefined = await greet(connect(named)).catch((error: Error) => {
      throw RemoteAuthorityResolverError.TemporarilyNotAvailable(error.message);
    });
    const { greeting } = first;
    const mismatch = differentVersions(version, greeting.version);
    if (mismatch !== undefined) {
      first.pipe.close();
      throw RemoteAuthorityResolverError.NotAvailable(mismatch);
    }
    return new ManagedResolvedAuthority(async () => {
      const { pipe } = first ?? (await greet(connect(named)));
      first = undefined;
      return messages(pipe);
    }, greeting.token);
  }
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
