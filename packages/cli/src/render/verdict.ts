import type { StoreVerdict } from '@devenv/core';
import { painter } from './color.ts';
import { bytes, plural } from './format.ts';
import { printableLine } from './printable.ts';

/** Whether the store is whole, what is not, and what to do. */
export function describeVerdict(verdict: StoreVerdict, color: boolean): string {
  const { damages, leftovers, lostImages, repaired } = verdict;
  const paint = painter(color);
  const counted = [
    `${plural(verdict.layers.count, 'layer')} (${bytes(verdict.layers.bytes)})`,
    plural(verdict.stepRecords, 'step record'),
    plural(verdict.containers, 'container'),
    plural(verdict.images, 'image'),
  ].join(', ');
  const hasLeft = damages.some(({ left }) => left !== undefined);
  return [
    `store: ${damages.length === 0 ? paint('green', 'whole') : paint('red', plural(damages.length, 'problem'))} · ${counted}`,
    ...damages.map(
      ({ what, text, left }) =>
        `  ${printableLine(what)}: ${printableLine(text)}${left === undefined ? '' : ` · stays: ${printableLine(left)}`}`,
    ),
    ...(repaired || (damages.length > 0 && hasLeft)
      ? [repaired ? 'Repaired: what was damaged is gone, and devenv up makes it again' : 'Repaired what could be']
      : []),
    ...(damages.length > 0 && !repaired && !hasLeft
      ? [`${paint('cyan', 'fix:')} devenv doctor --store --repair drops what is damaged, and devenv up makes it again`]
      : []),
    ...(lostImages.length === 0
      ? []
      : [
          `${repaired || hasLeft ? 'Gone with it' : 'With it goes'}: ${lostImages.map((name) => `image ${printableLine(name)}`).join(', ')} · pull, load or import again`,
        ]),
    ...(leftovers.count === 0
      ? []
      : [`${plural(leftovers.count, 'leftover')} of killed commands (${bytes(leftovers.bytes)}): devenv gc removes them`]),
  ].join('\n');
}
