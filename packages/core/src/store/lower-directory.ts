import { lstatSync, type BigIntStats } from 'node:fs';
import { getAttribute } from '../base/system-calls.ts';
import { pathOf } from '../oci/file-name.ts';
import type { DirectoryRecord } from './layer-tree.ts';

/**
 * What a directory is like in the layers below (change-set directories, topmost first), undefined when it is in none of them.
 * Archives need not mention the directories they add to; overlayfs shows the topmost one's owner and mode.
 */
export function lowerDirectory(lower: readonly string[], name: string): DirectoryRecord | undefined {
  for (const layer of lower) {
    const found = inLayer(layer, name);
    if (found === 'below') continue;
    if (found === 'hidden') return undefined;
    const nanoseconds = ((found.mtimeNs % second) + second) % second;
    return {
      mode: Number(found.mode & 0o7777n),
      uid: Number(found.uid),
      gid: Number(found.gid),
      seconds: Number((found.mtimeNs - nanoseconds) / second),
      nanoseconds: Number(nanoseconds),
    };
  }
  return undefined;
}

const second = 1_000_000_000n;

/** Part by part: a link on the way would lead out of the layer. */
function inLayer(layer: string, name: string): BigIntStats | 'below' | 'hidden' {
  let path = layer;
  let opaque = false;
  let stats = lstatSync(layer, { bigint: true });
  for (const part of name === '' ? [] : name.split('/')) {
    path = `${path}/${part}`;
    const next = lstatSync(pathOf(path), { bigint: true, throwIfNoEntry: false });
    if (!next) return opaque ? 'hidden' : 'below';
    if (!next.isDirectory()) return 'hidden';
    opaque ||= ['trusted', 'user'].some((kind) => getAttribute(pathOf(path), `${kind}.overlay.opaque`)?.toString() === 'y');
    stats = next;
  }
  return stats;
}
