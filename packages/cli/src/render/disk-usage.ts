import type { DiskUsage } from '@devenv/core';
import { painter } from './color.ts';
import { bytes, plural } from './format.ts';
import { printableLine } from './printable.ts';
import { table } from './table.ts';

/** One row for each environment, then what all of it is together. */
export function describeDiskUsage(usage: DiskUsage, color: boolean): string {
  const { environments, layers, images, containers, volumes, otherVolumes, caches } = usage;
  const paint = painter(color);
  const heading = ['NAME', 'OWN', 'SHARED', 'CHANGES', 'VOLUMES', 'FOLDER'].map((name) => paint('bold', name));
  const rows = environments.map(({ name, ownBytes, sharedBytes, changesBytes, volumesBytes, folder }) => [
    printableLine(name),
    bytes(ownBytes),
    bytes(sharedBytes),
    bytes(changesBytes),
    bytes(volumesBytes),
    printableLine(folder),
  ]);
  const sums = table([
    [
      'layers',
      bytes(layers.bytes),
      `${plural(layers.count, 'layer')}, each counted once${images.count === 0 ? '' : `; ${bytes(images.bytes)} of images only`}`,
    ],
    ['containers', bytes(containers.bytes), `what ${plural(containers.count, 'container')} changed`],
    ['volumes', bytes(volumes.bytes), plural(volumes.count, 'volume')],
    ...otherVolumes.map(({ name, bytes: count, used }) => [
      `  ${printableLine(name)}`,
      bytes(count),
      used ? 'of a container' : 'of no container: devenv gc --volumes removes it',
    ]),
    ['caches', bytes(caches.bytes), 'downloads, and what steps keep between builds'],
    [paint('bold', 'total'), bytes(usage.totalBytes), `devenv gc would free ${bytes(usage.freeableBytes)}`],
  ]);
  return [...(rows.length === 0 ? [] : [...table([heading, ...rows]), '']), ...sums].join('\n');
}
