import { canonicalJson, sha256, type Json } from '../base/canonical-json.ts';
import type { ContainerSpec } from '../engine/engine.ts';
import type { EnvironmentRecord } from './environment.ts';
import type { HookCommand, HookEvent } from './run-hooks.ts';

/** One difference between an environment and its file, in words that every front end repeats. */
export interface Change {
  readonly kind: 'hot' | 'restart' | 'rebuild';
  /** `ports: 3000 added`, `deps runs: input package-lock.json changed: 1a2b… → 3c4d…`. */
  readonly text: string;
  /** What bringing it in line takes: `applies at once`, `needs a restart`, `rebuild from step 3 (about 40 s)`. */
  readonly effect: string;
}

const effects = { hot: 'applies at once', restart: 'needs a restart' } as const;

/** What differs between the container made from `before` and the one that is wanted, and what bringing it in line takes. */
export function compareSpecs(before: ContainerSpec, after: ContainerSpec): Change[] {
  const changes: Change[] = [];
  for (const [field, kind] of Object.entries(fields) as [keyof typeof fields, 'hot' | 'restart'][]) {
    if (same(before[field], after[field])) continue;
    const sharedMemory = field === 'limits' && before.limits.shm !== after.limits.shm; // the size of a mount that is in use
    const needed = sharedMemory ? 'restart' : kind;
    const text = field === 'layer' ? 'the image changed' : describe(field, before[field], after[field]);
    changes.push({ kind: needed, text, effect: effects[needed] });
  }
  return changes;
}

/** Hooks that are to run: their text changed, or they have not run to their end in this container or since it was started. */
export function compareHooks(
  hooks: Readonly<Record<HookEvent, readonly HookCommand[]>>,
  record: Pick<EnvironmentRecord, 'hooksDone' | 'createdAt' | 'attach'>,
  startedAt: Date | undefined,
): (Change & { readonly event: HookEvent })[] {
  const changes: (Change & { readonly event: HookEvent })[] = [];
  for (const event of ['create', 'start'] as const) {
    if (hooks[event].length === 0 || record.hooksDone[event] === hookIdentity(event, hooks, record, startedAt)) continue;
    changes.push({
      kind: 'hot',
      effect: effects.hot,
      event,
      text: `hooks: ${event} ${record.hooksDone[event] === undefined ? 'has not run' : 'changed'}`,
    });
  }
  if (!same(hooks.attach, record.attach))
    changes.push({ kind: 'hot', effect: effects.hot, event: 'attach', text: 'hooks: attach changed' });
  return changes;
}

/** What identifies a run of hooks: another text, another container or, for `start`, another start is another run. */
export function hookIdentity(
  event: 'create' | 'start',
  hooks: Readonly<Record<HookEvent, readonly HookCommand[]>>,
  record: Pick<EnvironmentRecord, 'createdAt'>,
  startedAt: Date | undefined,
): string {
  const occasion = event === 'create' ? record.createdAt : (startedAt?.toISOString() ?? '');
  return sha256(canonicalJson([occasion, hooks[event].map(({ name, command }) => ({ name: name ?? null, command }))]));
}

/** What a change of each field takes. The id and what devenv derives from the rest are not compared. */
const fields = {
  layer: 'restart',
  hostname: 'restart',
  command: 'restart',
  user: 'restart',
  workdir: 'restart',
  mounts: 'restart',
  network: 'restart',
  security: 'restart',
  certificates: 'restart',
  env: 'hot',
  ports: 'hot',
  limits: 'hot',
  labels: 'hot',
} as const satisfies Partial<Record<keyof ContainerSpec, keyof typeof effects>>;

function describe(field: keyof typeof fields, before: unknown, after: unknown): string {
  if (field === 'certificates') return 'certificates changed';
  if (Array.isArray(before) && Array.isArray(after)) {
    const texts = (values: readonly unknown[]): string[] => values.map(nameOf);
    const added = texts(after).filter((text) => !texts(before).includes(text));
    const removed = texts(before).filter((text) => !texts(after).includes(text));
    return `${field}: ${[...added.map((text) => `${text} added`), ...removed.map((text) => `${text} removed`)].join(', ') || 'changed'}`;
  }
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .toSorted()
      .filter((name) => !same(before[name], after[name]));
    return `${field}: ${names.map((name) => `${name} ${before[name] === undefined ? 'added' : after[name] === undefined ? 'removed' : 'changed'}`).join(', ')}`;
  }
  return `${field}: ${String(before)} → ${String(after)}`;
}

/** A port or a mount as the file writes it. */
function nameOf(value: unknown): string {
  const { hostPort, containerPort, target, type } = value as { hostPort?: number; containerPort?: number; target?: string; type?: string };
  if (containerPort !== undefined) return hostPort === containerPort ? String(containerPort) : `${hostPort}:${containerPort}`;
  return target === undefined ? canonicalJson(value as Json) : `${type} at ${target}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(JSON.parse(JSON.stringify(a)) as Json) === canonicalJson(JSON.parse(JSON.stringify(b)) as Json);
}
