import { readdirSync } from 'node:fs';
import { find } from './tree.ts';

/**
 * What programs inside have to know of our terminal, and what is ours alone to know: its kind, its colours and that it shows
 * UTF-8. Nothing that the environment at `root` has no files for: there a wrong name is worse than none.
 */
export function terminalVariables(root: string, own: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const { TERM = '', COLORTERM } = own;
  const charset = own['LC_ALL'] || own['LC_CTYPE'] || own['LANG'] || '';
  return {
    TERM: [TERM, TERM.includes('256color') ? 'xterm-256color' : 'xterm'].find((name) => knowsTerminal(root, name)) ?? 'xterm',
    ...(COLORTERM ? { COLORTERM } : {}),
    // Of the languages only this one is there wherever its files are; that of the user is not part of the environment.
    ...(/utf-?8/i.test(charset) && speaksUtf8(root) ? { LANG: 'C.UTF-8' } : {}),
  };
}

/** terminfo(5): one file for each kind, below the first letter of its name. */
function knowsTerminal(root: string, name: string): boolean {
  return (
    /^[\w.+-]+$/.test(name) &&
    ['/etc/terminfo', '/lib/terminfo', '/usr/share/terminfo'].some((folder) => exists(root, `${folder}/${name[0]}/${name}`))
  );
}

/** glibc keeps a folder for it, by one of two names; musl knows nothing else. */
function speaksUtf8(root: string): boolean {
  return ['/usr/lib/locale/C.utf8', '/usr/lib/locale/C.UTF-8'].some((path) => exists(root, path)) || usesMusl(root);
}

function usesMusl(root: string): boolean {
  using folder = find(root, '/lib');
  return folder?.stats.isDirectory() === true && readdirSync(folder.magic).some((name) => name.startsWith('ld-musl-'));
}

function exists(root: string, path: string): boolean {
  using place = find(root, path);
  return place !== undefined;
}
