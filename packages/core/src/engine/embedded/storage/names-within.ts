import { relative } from 'node:path';

/** Short names of directories, relative to the deepest folder that holds all of them: hundreds have to fit into one page. */
export function namesWithin(paths: readonly string[]): { readonly folder: string; readonly names: readonly string[] } {
  const [first = '/', ...others] = paths.map((path) => path.split('/').slice(0, -1));
  const parts = typeof first === 'string' ? [] : first;
  let length = parts.length;
  for (const other of others) {
    let same = 0;
    while (same < length && other[same] === parts[same]) same++;
    length = same;
  }
  const folder = parts.slice(0, length).join('/') || '/';
  return { folder, names: paths.map((path) => relative(folder, path)) };
}
