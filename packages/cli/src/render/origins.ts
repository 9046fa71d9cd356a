import type { ConfigDescription } from '@devenv/core';
import { painter } from './color.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** One line per value: its path, the place it was written at, and the value. */
export function describeOrigins({ origins }: ConfigDescription, color: boolean): string {
  const paint = painter(color);
  const rows = origins.map(({ path, from, value, removed }) => [
    printableLine(path),
    from === 'default' ? paint('dim', from) : printableLine(from),
    removed ? 'removed' : value === null && from === 'default' ? '' : shortened(JSON.stringify(value)),
  ]);
  return table(rows).join('\n');
}

const longest = 60;

function shortened(text: string): string {
  const characters = [...printableLine(text)];
  return characters.length > longest ? `${characters.slice(0, longest - 1).join('')}…` : characters.join('');
}
