import type { TarEntry } from './oci/tar-entry.ts';
import { TarReader } from './oci/tar-reader.ts';
import { parseWhiteout } from './oci/whiteout.ts';

/**
 * Paths of what these layers hold and a user namespace of `ids` ids does not: device nodes, and files of other owners. Lowest layer
 * first, each as its archive.
 */
export async function unheldFiles(layers: Iterable<AsyncIterable<Buffer>>, ids: number): Promise<readonly string[]> {
  const found = new Set<string>();
  const hide = (path: string): void => {
    for (const known of found) if (known === path || path === '' || known.startsWith(`${path}/`)) found.delete(known);
  };
  const entry = ({ name, type, uid, gid }: TarEntry): void => {
    const path = name.split('/').filter((part) => part !== '' && part !== '.').join('/'); // prettier-ignore
    const whiteout = parseWhiteout(path);
    if (whiteout?.kind === 'hides') hide(whiteout.name);
    else if (whiteout?.kind === 'opaque') hide(whiteout.directory);
    if (whiteout) return;
    if (type === 'directory') found.delete(path);
    else hide(path);
    if (type.endsWith('-device') || uid >= ids || gid >= ids) found.add(path);
  };
  for (const layer of layers) {
    const reader = new TarReader({ entry, data() {}, end() {} });
    for await (const chunk of layer) reader.write(chunk);
  }
  return [...found].toSorted();
}
