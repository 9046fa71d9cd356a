import type { ResourceUse } from '@devenv/core';
import { painter } from './color.ts';
import { bytes } from './format.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** One row for each running environment or container; a limit stands behind what is used of it. */
export function describeResourceUse(running: readonly ResourceUse[], color: boolean): string {
  const paint = painter(color);
  const heading = ['NAME', 'CPU', 'MEMORY', 'PIDS', 'DISK', 'NETWORK IN / OUT', 'FOLDER OR IMAGE'].map((name) => paint('bold', name));
  const rows = running.map((use) => [
    printableLine(use.name),
    against(use.cpus, use.cpuLimit, (cpus) => `${(cpus * 100).toFixed(cpus < 0.1 ? 1 : 0)} %`, paint),
    against(use.memoryBytes, use.memoryLimit, bytes, paint),
    against(use.pids, use.pidsLimit, String, paint),
    bytes(use.diskBytes),
    use.receivedBytes === undefined ? '-' : `${bytes(use.receivedBytes)} / ${bytes(use.sentBytes ?? 0)}`,
    printableLine(use.folder ?? use.image ?? ''),
  ]);
  return table([heading, ...rows]).join('\n');
}

/** Yellow from four fifths of the limit on. */
function against(
  value: number | undefined,
  limit: number | undefined,
  format: (value: number) => string,
  paint: ReturnType<typeof painter>,
): string {
  if (value === undefined) return '-';
  const text = limit === undefined ? format(value) : `${format(value)} / ${format(limit)}`;
  return limit !== undefined && value >= 0.8 * limit ? paint('yellow', text) : text;
}
