import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { pathOf } from '../../../oci/file-name.ts';
import { isOpaque, isWhiteout, namesIn } from '../../../store/merged.ts';
import { copyEntry, copyProperties } from './copy-entry.ts';

/** Changes a plain tree into what it shows with one more change set on it. */
export function layOver(layer: string, tree: string): void {
  for (const name of namesIn(layer)) {
    const [path, target] = [`${layer}/${name}`, `${tree}/${name}`];
    const stats = lstatSync(pathOf(path), { bigint: true });
    const former = lstatSync(pathOf(target), { throwIfNoEntry: false });
    const isMerged = stats.isDirectory() && former?.isDirectory() && !isOpaque(path);
    if (former && !isMerged) rmSync(pathOf(target), { recursive: true });
    if (isWhiteout(stats)) continue;
    if (!stats.isDirectory()) {
      copyEntry(path, stats, target);
      continue;
    }
    if (!isMerged) mkdirSync(pathOf(target), { mode: 0o700 });
    layOver(path, target);
    copyProperties(path, stats, target);
  }
}
