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
    resolve(authority: string, context: { readonly resolveAttempt: number }): Thenable<ResolverResult>;
  }

  export interface ResolvedOptions {
    /** Whether the editor asks whether its user trusts the folder; absent: as everywhere. */
    readonly isTrusted?: boolean;
  }

  export type ResolverResult = ManagedResolvedAuthority & ResolvedOptions;

  export interface ResourceLabelFormatter {
    readonly scheme: string;
    readonly authority?: string;
    readonly formatting: {
      readonly label: string;
      readonly separator: '/' | '\\' | '';
      readonly tildify?: boolean;
      readonly workspaceSuffix?: string;
    };
  }

  export namespace workspace {
    export function registerRemoteAuthorityResolver(authorityPrefix: string, resolver: RemoteAuthorityResolver): Disposable;
    export function registerResourceLabelFormatter(formatter: ResourceLabelFormatter): Disposable;
  }
}
