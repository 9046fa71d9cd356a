import type { Index, IndexEntry } from './manifest.ts';
import type { Platform } from './platform.ts';

type Named = NonNullable<IndexEntry['platform']>;

/** The entry to run on a platform: the same variant, else the best that it can run, too. Undefined when there is none. */
export function choosePlatform(index: Index, platform: Platform): IndexEntry | undefined {
  const matches = index.manifests
    .map((entry) => ({ entry, rank: entry.platform ? rankOf(entry.platform, platform) : -1 }))
    .filter(({ rank }) => rank >= 0)
    .toSorted((a, b) => b.rank - a.rank); // stable: the first of equals
  const [only] = index.manifests;
  // An index of one that names no platform: its config will say.
  return matches[0]?.entry ?? (index.manifests.length === 1 && only && !only.platform ? only : undefined);
}

/** `linux/amd64`, …, without the attestations that BuildKit adds as `unknown/unknown`. */
export function platformsOf(index: Index): readonly string[] {
  const named = index.manifests.flatMap((entry) => (entry.platform && entry.platform.os !== 'unknown' ? [entry.platform] : []));
  return [
    ...new Set(named.map((platform) => [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/'))),
  ];
}

/** Whether what was made for `named` runs on `platform`. */
export function runsOn(named: Named, platform: Platform): boolean {
  return rankOf(named, platform) >= 0;
}

/** -1: does not run; else the higher the better: a processor runs what was made for its own variant and the earlier ones. */
function rankOf(named: Named, platform: Platform): number {
  if (named.os !== platform.os || architectureOf(named.architecture) !== architectureOf(platform.architecture)) return -1;
  const offered = variantNumber(named);
  return offered <= variantNumber(platform) ? offered : -1;
}

/** Names by which other tools know the same processors (containerd, platforms/database.go). */
function architectureOf(name: string): string {
  return { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386', armhf: 'arm', armel: 'arm' }[name] ?? name;
}

/** A variant is optional where one is usual: `amd64` is v1, `arm64` v8, `arm` v7. */
function variantNumber({ architecture, variant }: { readonly architecture: string; readonly variant?: string }): number {
  const usual = { amd64: 1, arm64: 8, arm: 7 }[architectureOf(architecture)] ?? 0;
  const number = variant === undefined ? usual : Number(/^v([0-9]+)/.exec(variant)?.[1] ?? usual);
  return number;
}
