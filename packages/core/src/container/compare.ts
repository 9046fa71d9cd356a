import { canonicalJson, sha256, type Json } from '../base/canonical-json.ts';
import type { ContainerSpec, PortMapping } from '../engine/engine.ts';
import type { EnvironmentDescription, EnvironmentRecord } from './environment.ts';
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
    const inUse = field === 'env' && after.command.length > 0; // by the command that runs
    const needed = sharedMemory || inUse ? 'restart' : kind;
    const text = field === 'layer' ? 'the image changed' : describe(field, before[field], after[field]);
    changes.push({ kind: needed, text, effect: effects[needed] });
  }
  return changes;
}

/** What an environment follows besides its container and hooks. */
export function compareDescriptions(before: EnvironmentRecord, after: EnvironmentDescription): Change[] {
  const changes: Change[] = [];
  const add = (kind: keyof typeof effects, text: string): void => void changes.push({ kind, text, effect: effects[kind] });
  if (before.name !== after.name) add('hot', `name: ${before.name} → ${after.name}`);
  // Nothing asks for it where no command runs.
  if (before.spec.command.length > 0 && !same(before.healthcheck, after.healthcheck))
    add('hot', `healthcheck ${before.healthcheck === undefined ? 'added' : after.healthcheck === undefined ? 'removed' : 'changed'}`);
  if (before.seccompProfile !== undefined && after.seccompProfile !== undefined && before.seccompProfile !== after.seccompProfile)
    add('restart', 'security: the profile that seccomp names changed');
  return changes;
}

/**
 * Hooks that are to run: their text changed, or they have not run to their end in this container or since it was started. Those of a start
 * are no difference of a container that does not run: they belong to the next one.
 */
export function compareHooks(
  hooks: Readonly<Record<HookEvent, readonly HookCommand[]>>,
  record: Pick<EnvironmentRecord, 'hooksDone' | 'createdAt' | 'attach'>,
  startedAt: Date | undefined,
): (Change & { readonly event: HookEvent })[] {
  const changes: (Change & { readonly event: HookEvent })[] = [];
  for (const event of ['create', 'start'] as const) {
    if (event === 'start' && startedAt === undefined) continue;
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
  stopSignal: 'restart',
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
    // A command counts as one thing, and so does what has one name before and after.
    if (field === 'command') return `${field}: ${shown(before)} → ${shown(after)}`;
    const [old, now] = [byName(before), byName(after)];
    const words = [
      ...[...now.keys()].filter((name) => !old.has(name)).map((name) => `${name} added`),
      ...[...now].filter(([name, value]) => old.has(name) && !same(old.get(name), value)).map(([name]) => `${name} changed`),
      ...[...old.keys()].filter((name) => !now.has(name)).map((name) => `${name} removed`),
    ];
    return `${field}: ${words.join(', ') || 'another order'}`;
  }
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .toSorted()
      .filter((name) => !same(before[name], after[name]));
    return `${field}: ${names.map((name) => `${name} ${before[name] === undefined ? 'added' : after[name] === undefined ? 'removed' : 'changed'}`).join(', ')}`;
  }
  return `${field}: ${String(before)} → ${String(after)}`;
}

function shown(command: readonly unknown[]): string {
  return command.length === 0 ? 'none' : command.join(' ');
}

function byName(values: readonly unknown[]): ReadonlyMap<string, unknown> {
  return new Map(values.map((value) => [nameOf(value), value]));
}

/** A port or a mount as the file writes it. */
function nameOf(value: unknown): string {
  const { target, type, ...port } = value as { target?: string; type?: string } & Partial<PortMapping>;
  const { hostPort, containerPort, protocol } = port;
  if (containerPort !== undefined)
    return `${hostPort === containerPort ? '' : `${hostPort}:`}${containerPort}${protocol === 'udp' ? '/udp' : ''}`;
  return target === undefined ? canonicalJson(value as Json) : `${type} at ${target}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(JSON.parse(JSON.stringify(a)) as Json) === canonicalJson(JSON.parse(JSON.stringify(b)) as Json);
}
