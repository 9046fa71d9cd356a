import type { Collection, CountedBytes } from '@devenv/core';
import { bytes, plural } from './format.ts';
import { printableLine } from './printable.ts';

/** What was freed, what stayed and why, and what its user has to decide. */
export function describeCollection({ dryRun, freedBytes, removed, kept, lost }: Collection): string {
  const { environments } = removed;
  const parts = [
    part(removed.layers, 'layer'),
    part(removed.caches, 'cache'),
    part(removed.logs, 'old log'),
    part(removed.leftovers, 'leftover', 'of killed commands'),
    environments.length === 0 ? '' : plural(environments.length, 'environment'),
    removed.volumes.length === 0
      ? ''
      : `${plural(removed.volumes.length, 'volume')} (${removed.volumes.map(({ name }) => printableLine(name)).join(', ')})`,
  ].filter(Boolean);
  const reasons = [
    reason(kept.environments, 'that environments need'),
    reason(kept.images, 'of images'),
    reason(kept.policy, 'that nothing needs now'),
  ].filter(Boolean);
  return [
    parts.length === 0 ? 'Nothing to free' : `${dryRun ? 'Would free' : 'Freed'} ${bytes(freedBytes)}: ${parts.join(', ')}`,
    ...(reasons.length === 0 ? [] : [`${dryRun ? 'Would keep' : 'Kept'} ${reasons.join(', ')}`]),
    ...(lost.length === 0
      ? []
      : ['The folder of these is gone; devenv gc --lost removes them with their volumes, devenv down one of them:']),
    ...lost.map(({ name, configFile }) => `  ${printableLine(name)}  devenv down --config ${printableLine(configFile)}`),
  ].join('\n');
}

function part({ count, bytes: size }: CountedBytes, noun: string, more?: string): string {
  return count === 0 ? '' : `${plural(count, noun)}${more === undefined ? '' : ` ${more}`} (${bytes(size)})`;
}

function reason({ count, bytes: size }: CountedBytes, why: string): string {
  return count === 0 ? '' : `${bytes(size)} in ${plural(count, 'layer')} ${why}`;
}
