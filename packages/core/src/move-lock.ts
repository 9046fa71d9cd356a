import { UserError } from './base/errors.ts';
import { definitionOf, type Lock, type LockedLayer, type LockedPlatform } from './lock/lock.ts';
import type { Plan } from './plan/plan.ts';

/**
 * What a lock keeps when these move: steps, `base`, packages (as `git` or `git:amd64`; the step that installs it moves whole, since what an
 * archive has fits together as of one time). No name: nothing stays.
 */
export function unlock(lock: Lock, names: readonly string[]): Lock {
  const platforms = Object.entries(lock.platforms).map(([platform, locked]) => {
    const { image, layers } = locked;
    const keepsImage = image && names.length > 0 && !names.includes('base') && !names.includes(image.name);
    return [platform, { ...(keepsImage ? { image } : {}), layers: layers.filter((layer) => !moves(layer, names, locked)) }] as const;
  });
  return { ...lock, platforms: Object.fromEntries(platforms) };
}

/** @throws UserError UNKNOWN_STEP */
export function requireKnown(names: readonly string[], { base, steps }: Plan, locked: LockedPlatform | undefined): void {
  const layers = locked?.layers ?? [];
  const known = ['base', base.title, ...steps.map(({ name }) => name), ...layers.map(({ name }) => name)];
  const unknown = names.find((name) => !known.includes(name) && !layers.some((layer) => installs(layer, name)));
  if (unknown !== undefined)
    throw new UserError('UNKNOWN_STEP', `Neither a step nor a package that is locked has the name "${unknown}".`, {
      hint: `Besides packages there are:\n  ${[...new Set(known)].join('\n  ')}`,
    });
}

/** Index of the first step that is made anew, whatever is here; infinite when only the base moves: what stands on another base is made anew by itself. */
export function firstMoved({ steps }: Plan, locked: LockedPlatform | undefined, names: readonly string[]): number {
  if (names.length === 0) return 0;
  const definitions = new Set(locked?.layers.filter((layer) => moves(layer, names, locked)).map(({ definition }) => definition));
  const index = steps.findIndex(({ name, parts }) => names.includes(name) || definitions.has(definitionOf(parts)));
  return index < 0 ? Infinity : index;
}

function moves(layer: LockedLayer, names: readonly string[], { image, layers }: LockedPlatform): boolean {
  const isBase = !image && layer === layers[0] && layer.name.startsWith('debian ');
  return (
    names.length === 0 || names.includes(layer.name) || (isBase && names.includes('base')) || names.some((name) => installs(layer, name))
  );
}

function installs({ packages = {} }: LockedLayer, name: string): boolean {
  return Object.keys(packages).some((known) => known === name || known.startsWith(`${name}:`));
}
