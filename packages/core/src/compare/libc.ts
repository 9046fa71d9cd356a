import { lookUp, type TreeNode } from './file-tree.ts';
import type { Packages } from './packages.ts';

/** `glibc 2.36`, `musl 1.2.5`: what programs are linked with decides which of them run. Undefined: there is none. */
export function libcOf(root: TreeNode, packages: Packages | undefined): string | undefined {
  for (const folder of ['lib', 'usr/lib']) {
    const names = [...(lookUp(root, folder)?.children.keys() ?? [])];
    if (names.some((name) => /^ld-musl-.*\.so\.1$/.test(name))) return named('musl', packages?.get('musl')?.replace(/-r\d+$/, ''));
  }
  for (const folder of libraryFolders(root)) {
    const library = lookUp(root, `${folder}/libc.so.6`);
    if (!library) continue;
    const said = library.fact.content?.bytes()?.toString('latin1');
    const version = said === undefined ? undefined : /GNU C Library[^\n]*?version (\d+\.\d+(?:\.\d+)?)/.exec(said)?.[1];
    return named('glibc', version);
  }
  return undefined;
}

function named(name: string, version: string | undefined): string {
  return version === undefined ? name : `${name} ${version}`;
}

/** Debian has them below a folder for each architecture. */
function libraryFolders(root: TreeNode): readonly string[] {
  return ['lib64', 'usr/lib64', 'lib', 'usr/lib'].flatMap((folder) => {
    const inside = [...(lookUp(root, folder)?.children.keys() ?? [])].filter((name) => /-linux-gnu/.test(name));
    return [folder, ...inside.map((name) => `${folder}/${name}`)];
  });
}
