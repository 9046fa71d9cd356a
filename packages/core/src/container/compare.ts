import { canonicalJson, type Json } from '../base/canonical-json.ts';
import type { ContainerSpec } from '../engine/engine.ts';

/** One difference between an environment and its file, in words that every front end repeats. */
export interface Change {
  readonly kind: 'hot' | 'restart' | 'rebuild';
  readonly text: string;
}

/** What has to be done to bring a container made from `before` to `after`. Labels that devenv makes itself follow from the rest. */
export function compareSpecs(before: ContainerSpec, after: ContainerSpec): Change[] {
  const changes: Change[] = [];
  for (const field of fields) {
    const [old, current] = [before[field], after[field]];
    if (same(old, current)) continue;
    changes.push({ kind: 'restart', text: field === 'layer' ? 'the image changed' : describe(field, old, current) });
  }
  return changes;
}

const fields = [
  'layer',
  'hostname',
  'command',
  'env',
  'user',
  'workdir',
  'mounts',
  'network',
  'ports',
  'limits',
  'security',
  'certificates',
  'labels',
] as const;

function describe(field: (typeof fields)[number], before: unknown, after: unknown): string {
  if (field === 'certificates') return 'certificates changed';
  if (Array.isArray(before) && Array.isArray(after)) {
    const texts = (values: readonly unknown[]): string[] => values.map((value) => canonicalJson(value as Json));
    const added = texts(after).filter((text) => !texts(before).includes(text));
    const removed = texts(before).filter((text) => !texts(after).includes(text));
    return `${field}: ${[...added.map((text) => `${text} added`), ...removed.map((text) => `${text} removed`)].join(', ') || 'order changed'}`;
  }
  if (isRecord(before) && isRecord(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .toSorted()
      .filter((name) => !same(before[name], after[name]));
    return `${field}: ${names.map((name) => `${name} ${before[name] === undefined ? 'added' : after[name] === undefined ? 'removed' : 'changed'}`).join(', ')}`;
  }
  return `${field}: ${String(before)} → ${String(after)}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(JSON.parse(JSON.stringify(a)) as Json) === canonicalJson(JSON.parse(JSON.stringify(b)) as Json);
}
