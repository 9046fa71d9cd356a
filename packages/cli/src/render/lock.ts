import { basename } from 'node:path';
import type { LockResult } from '@devenv/core';
import { plural } from './format.ts';

const shownChanges = 30;

/** What changed, old → new, and what is locked now. */
export function describeLock({ path, layers, packages, changes, seconds }: LockResult): string {
  const known = changes.some(({ from }) => from !== undefined);
  // Of a first lock everything is new: the file says it better.
  const lines = (known ? changes : []).map(({ what, from, to }) => `  ${what}  ${brief(from)} → ${brief(to)}`);
  const more = lines.length > shownChanges ? [`  … and ${lines.length - shownChanges} more`] : [];
  const summary = `${basename(path)} · ${plural(layers, 'layer')}, ${plural(packages, 'package')} · ${seconds.toFixed(0)} s`;
  return [...lines.slice(0, shownChanges), ...more, changes.length === 0 ? `${summary} · nothing changed` : summary].join('\n');
}

function brief(value: string | undefined): string {
  if (value === undefined) return 'none';
  return value.startsWith('sha256:') ? value.slice(7, 19) : value;
}
