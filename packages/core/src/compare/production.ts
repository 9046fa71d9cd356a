import { textAt } from './packages.ts';
import type { TreeNode } from './file-tree.ts';

/**
 * Whether a file differs only because more is installed or somebody more has an account: lists that say what there is, and
 * caches made from it. What they list of production is compared itself, and accounts of production have to be there unchanged.
 */
export function followsFromAdditions(
  { name, where }: { readonly name: string; readonly where: 'a' | 'b' | 'both' },
  { a, b }: { readonly a: TreeNode; readonly b: TreeNode },
): boolean {
  if (caches.test(name)) return true;
  if (where !== 'both') return false;
  if (accounts.test(name)) return hasAllAccounts(textAt(a, name) ?? '', textAt(b, name) ?? '');
  return lists.some((pattern) => pattern.test(name));
}

const accounts = /^\/etc\/(?:passwd|group)$/;

const caches = /^\/var\/(?:cache|log|lib\/apt\/lists)\//;

const lists: readonly RegExp[] = [
  /^\/var\/lib\/dpkg\/(?:status|available|alternatives\/.*|diversions|statoverride|triggers\/.*|info\/.*\.(?:list|md5sums))$/,
  /^\/var\/lib\/(?:apt\/extended_states|systemd\/.*|ucf\/.*)$/,
  /^\/(?:usr\/)?lib\/apk\/db\//,
  /^\/etc\/(?:apk\/world|ld\.so\.cache|shells|shadow|gshadow|subuid|subgid|ca-certificates\.conf)$/,
  /^\/etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-$/,
  /^\/etc\/ssl\/certs\/ca-certificates\.crt$/,
  /^\/usr\/share\/(?:info\/dir|mime\/|applications\/mimeinfo\.cache|icons\/.*\/icon-theme\.cache|glib-2\.0\/schemas\/gschemas\.compiled)/,
];

/** Name and ids of every account, and who is in a group; what comes after is of the machine that made it. */
function hasAllAccounts(ours: string, theirs: string): boolean {
  const own = new Set(ours.split('\n').map(identity));
  return theirs.split('\n').every((line) => own.has(identity(line)));
}

function identity(line: string): string {
  const [name, , uid, gid] = line.split(':');
  return [name, uid, gid].join(':');
}
