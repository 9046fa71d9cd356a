import type { BuildResult, Change, UpResult } from '@devenv/core';
import { duration, plural } from './format.ts';
import { printableLine } from './printable.ts';

/** `Ready in 14 s · 2 steps built, 1 cached · localhost:3000 · next: devenv shell` */
export function describeUp(result: UpResult): string {
  const parts = [
    `Ready in ${duration(result.seconds)}`,
    whatWasDone(result),
    ...bill(result),
    ...result.addresses.map(printableLine),
    'next: devenv shell',
  ];
  return parts.join(' · ');
}

export function describeBuild(result: BuildResult): string {
  const steps = result.built === 0 ? 'nothing to do' : stepCount(result);
  return [`Built in ${duration(result.seconds)}`, steps, ...bill(result), 'next: devenv up'].join(' · ');
}

/** A difference that stands, and what `up` would do about it. */
export function describeChange({ text, effect }: Change): string {
  return `${printableLine(text)} · ${effect}`;
}

function whatWasDone(result: UpResult): string {
  if (result.action === 'unchanged' && result.built === 0) return 'nothing to do';
  const container = { unchanged: undefined, started: 'started', created: undefined, recreated: 'new container', updated: 'updated' }[
    result.action
  ];
  const steps = result.built + result.cached === 0 ? undefined : stepCount(result);
  return [steps, container].filter((part) => part !== undefined).join(' · ') || 'new container';
}

/** `cache saved 214 s, spent 9 s`: what a cache that travels brought, and what that took. */
function bill({ cache }: BuildResult): readonly string[] {
  if (!cache || cache.fetched + cache.published === 0) return [];
  const spent = `spent ${duration(cache.spentSeconds)}`;
  const parts = [
    cache.fetched === 0 ? spent : `saved ${duration(cache.savedSeconds)}, ${spent}`,
    ...(cache.published === 0 ? [] : [`${plural(cache.published, 'step')} sent`]),
  ];
  return [`cache ${parts.join(', ')}`];
}

function stepCount({ built, cached }: BuildResult): string {
  if (built === 0) return `${plural(cached, 'step')} cached`;
  return `${plural(built, 'step')} built${cached === 0 ? '' : `, ${cached} cached`}`;
}
