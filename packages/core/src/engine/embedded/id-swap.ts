import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from './tree.ts';

/**
 * In a user's namespace files cannot be shown with other owners (idmapped mounts are the machine's root's). For the owner of a
 * workspace to be another user inside, the container gets a user namespace of its own in which the two change places. A
 * permutation, so that every id stays one, and its own inverse.
 */
export interface IdSwap {
  readonly uid: readonly [outside: number, inside: number];
  readonly gid: readonly [outside: number, inside: number];
}

/** The owner inside for one of outside, and the other way round. */
export function swapOwner(ids: IdSwap | undefined, { uid, gid }: Owner): Owner {
  return ids ? { uid: exchange(uid, ids.uid), gid: exchange(gid, ids.gid) } : { uid, gid };
}

function exchange(id: number, [a, b]: readonly [number, number]): number {
  return id === a ? b : id === b ? a : id;
}

/** Lets a folder and the files in it belong to root inside: copying can give them the owner that they had elsewhere. */
export function giveToRoot(folder: string, ids: IdSwap | undefined): void {
  const { uid, gid } = swapOwner(ids, { uid: 0, gid: 0 });
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) chownSync(path, uid, gid);
}

/**
 * linux.uidMappings of the runtime-spec (config-linux.md#user-namespace-mappings) for ids 0 to `count` - 1. Id 0 has a line of
 * its own: the kernel takes no line that spans two of the parent's, and there 0 is the user and the others are not.
 */
export function swapMappings([a, b]: IdSwap['uid'], count: number): { containerID: number; hostID: number; size: number }[] {
  const cuts = [...new Set([0, 1, a, a + 1, b, b + 1, count])].filter((cut) => cut <= count).toSorted((x, y) => x - y);
  return cuts.slice(0, -1).map((start, index) => ({ containerID: start, hostID: exchange(start, [a, b]), size: cuts[index + 1]! - start }));
}
