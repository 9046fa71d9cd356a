/** The part of VS Code's proposed API `resolvers` that is used here (src/vscode-dts/vscode.proposed.resolvers.d.ts, MIT). */
import type { Disposable, Event } from 'vscode';

declare module 'vscode' {
  export interface ManagedMessagePassing {
    readonly onDidReceiveMessage: Event<Uint8Array>;
    readonly onDidClose: Event<Error | undefined>;
    readonly onDidEnd: Event<void>;
    readonly send: (data: Uint8Array) => void;
    readonly end: () => void;
    readonly drain?: () => Thenable<void>;
  }

  export class ManagedResolvedAuthority {
    readonly makeConnection: () => Thenable<ManagedMessagePassing>;
    readonly connectionToken: string | undefined;
    constructor(makeConnection: () => Thenable<ManagedMessagePassing>, connectionToken?: string);
  }

  export class RemoteAuthorityResolverError extends Error {
    static NotAvailable(message?: string, handled?: boolean): RemoteAuthorityResolverError;
    static TemporarilyNotAvailable(message?: string): RemoteAuthorityResolverError;
  }

  export interface RemoteAuthorityResolver {
    resolve(authority: string, context: { readonly resolveAttempt: number }): Thenable<ManagedResolvedAuthority>;
  }

  export namespace workspace {
    export function registerRemoteAuthorityResolver(authorityPrefix: string, resolver: RemoteAuthorityResolver): Disposable;
  }
}
