import { readFileSync } from 'node:fs';

/** Whom the ids of this process stand for outside (user_namespaces(7)). */
export interface IdMapping {
  /** The user that runs devenv, as the machine knows it. */
  readonly user: { readonly uid: number; readonly gid: number };
  /**
   * `machine`: ids are the machine's own. `range`: we are root of a namespace in which 0 is the user and the rest are its
   * subordinate ids. `single`: the same, but 0 is all there is. `foreign`: root of a namespace that somebody else made.
   */
  readonly kind: 'machine' | 'range' | 'single' | 'foreign';
  /** How many ids there are, counted from 0. */
  readonly count: number;
}

let known: IdMapping | undefined;

/** Asked once: a process does not change it. */
export function idMapping(): IdMapping {
  return (known ??= readMapping(readFileSync('/proc/self/uid_map', 'utf8'), readFileSync('/proc/self/gid_map', 'utf8')));
}

/** What two files of the form `inside outside count` say of a process. */
export function readMapping(uids: string, gids: string): IdMapping {
  const [users, groups] = [parse(uids), parse(gids)];
  const count = users.reduce((most, { inside, length }) => Math.max(most, inside + length), 0);
  const own = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  if (users.some(({ inside, outside, length }) => inside === 0 && outside === 0 && length >= 0xffff_ffff - 1))
    return { user: own, kind: 'machine', count };
  const [me, mine] = [users.find(({ inside }) => inside === 0), groups.find(({ inside }) => inside === 0)];
  if (me?.length !== 1 || mine?.length !== 1) return { user: own, kind: 'foreign', count };
  return { user: { uid: me.outside, gid: mine.outside }, kind: users.length === 1 ? 'single' : 'range', count };
}

function parse(text: string): { inside: number; outside: number; length: number }[] {
  return text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [inside = 0, outside = 0, length = 0] = line.trim().split(/\s+/).map(Number);
      return { inside, outside, length };
    });
}

/** Whether root here is not root of the machine: then devices, foreign ids and `trusted.` attributes cannot be made. */
export function isMapped(): boolean {
  return idMapping().kind !== 'machine';
}

/** What overlayfs calls its attributes: those in `trusted.` are the machine's root's alone (its mount option `userxattr`). */
export function overlayAttributes(): 'trusted' | 'user' {
  return isMapped() ? 'user' : 'trusted';
}
