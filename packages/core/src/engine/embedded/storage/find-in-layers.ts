import { readlinkSync } from 'node:fs';
import { decodeName, pathOf } from '../../../oci/file-name.ts';
import { lookUp, type Shown } from '../../../store/merged.ts';

const mostLinks = 40; // as the kernel (path_resolution(7))

/**
 * What an absolute path shows in stacked change sets that nobody changes (topmost first), links followed as a process with
 * them as its root would. Undefined when there is nothing.
 */
export function findInLayers(layers: readonly string[], path: string): Shown | undefined {
  const trail: Shown[] = [];
  const rest = path.split('/').toReversed();
  let links = 0;
  while (rest.length > 0) {
    const name = rest.pop()!;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      trail.pop();
      continue;
    }
    const found = lookUp(trail.at(-1)?.folders ?? layers, name);
    if (!found) return undefined;
    if (!found.stats.isSymbolicLink()) {
      trail.push(found);
      continue;
    }
    if (++links > mostLinks) return undefined;
    const target = decodeName(readlinkSync(pathOf(found.path), { encoding: 'buffer' }));
    if (target.startsWith('/')) trail.length = 0;
    rest.push(...target.split('/').toReversed());
  }
  return trail.at(-1);
}
