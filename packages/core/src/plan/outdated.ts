import type { LockedPlatform } from '../lock/lock.ts';
import { definitionOf } from '../lock/lock.ts';
import type { KeyParts, StepKey } from '../oci/step-key.ts';
import type { Resolved } from '../resolve/resolved.ts';

interface Keyed {
  readonly name: string;
  readonly key: StepKey;
  readonly parts: KeyParts;
}

/** What the lock does not cover, as lines for people; empty when every layer of the plan is one of it, in its order. */
export function outdated(resolved: Resolved, lock: LockedPlatform, layers: readonly Keyed[]): readonly string[] {
  const { base } = resolved;
  const lines: string[] = [];
  if (base.kind === 'image') {
    const { image } = lock;
    if (!image) lines.push(`${base.reference} is not locked`);
    else if (image.name !== base.reference) lines.push(`the base is ${base.reference}; the lock has ${image.name}`);
    else if (image.manifest !== base.name.manifest) lines.push(`${base.reference} is another image now`);
  } else if (lock.image) lines.push(`the base is no image; the lock has ${lock.image.name}`);
  const left = [...lock.layers];
  const uncovered = layers.filter(({ parts }) => {
    const index = left.findIndex(({ definition }) => definition === definitionOf(parts));
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
  for (const { name } of uncovered) {
    const before = left.findIndex((locked) => locked.name === name);
    lines.push(before < 0 ? `${name} is not locked` : `${name} has changed since it was locked`);
    if (before >= 0) left.splice(before, 1);
  }
  for (const { name } of left) lines.push(`${name} is locked, and no more asked for`);
  if (lines.length > 0) return lines;
  const moved = layers.find(({ key }, index) => lock.layers[index]?.key !== key);
  return moved ? [`${moved.name} stands on something else than when it was locked`] : [];
}
