/**
 * What core says while it works. Core never prints: front ends turn events into a live list, plain lines or JSON.
 * Every task that starts ends in exactly one of `cached`, `done` or `failed`.
 */
export type Event =
  | {
      readonly type: 'task';
      /** Unique within one command; `output` and `transfer` events refer to it. */
      readonly id: string;
      readonly kind: 'base' | 'step' | 'container' | 'hook' | 'image';
      readonly title: string;
      readonly state: 'started' | 'waiting' | 'cached' | 'done' | 'failed';
      /** Position among the steps, from 1, and how many there are. */
      readonly number?: number;
      readonly total?: number;
      /** How long it took; on `cached`, how long it took when it ran. */
      readonly seconds?: number;
      /** Why it runs, or what it waits for. */
      readonly detail?: string;
      /** Path of the whole output, kept after a failure. */
      readonly log?: string;
    }
  | { readonly type: 'output'; readonly id: string; readonly text: string }
  | { readonly type: 'transfer'; readonly id: string; readonly bytes: number; readonly total?: number }
  | { readonly type: 'notice'; readonly level: 'info' | 'warning'; readonly message: string; readonly hint?: string };

export type Report = (event: Event) => void;
