import type { Event } from '@devenv/core';

export type ProgressMode = 'auto' | 'tty' | 'plain' | 'json' | 'quiet';

/** How progress is shown in the end: in the job logs of GitHub Actions and GitLab in their own way. */
export type ResolvedMode = Exclude<ProgressMode, 'auto'> | 'github' | 'gitlab';

/** Turns events into something to look at. */
export interface Renderer {
  event(event: Event): void;
  /** A line of its own, above what changes in place. */
  print(text: string): void;
  close(): void;
}

export interface RendererOptions {
  readonly color: boolean;
  readonly verbose: boolean;
  /** stdin and the terminal belong to a command inside: only what happens is shown, never that nothing does. */
  readonly interactive: boolean;
  readonly stream: NodeJS.WritableStream & { readonly columns?: number; readonly rows?: number };
  /** Whether the user asked to stop: what fails from then on fails because of that. */
  readonly stopping: () => boolean;
}
