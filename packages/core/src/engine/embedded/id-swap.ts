import { chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from './tree.ts';

/**
 * In a user's namespace the files of their workspace are those of id 0. For another user of the container to own them there,
 * the container gets a user namespace of its own, in which that user and root change places: `uid` and 0, `gid` and 0.
 * A permutation, so that every id stays one, and its own inverse.
 */
export interface IdSwap {
  readonly uid: number;
  readonly gid: number;
}

/** The owner inside for one of outside, and the other way round. */
export function swapOwner(ids: IdSwap | undefined, { uid, gid }: Owner): Owner {
  return ids ? { uid: exchange(uid, ids.uid), gid: exchange(gid, ids.gid) } : { uid, gid };
}

function exchange(id: number, other: number): number {
  return id === 0 ? other : id === other ? 0 : id;
}

/** Lets a folder and the files in it belong to root inside: copying can give them the owner that they had elsewhere. */
export function giveToRoot(folder: string, ids: IdSwap | undefined): void {
  const { uid, gid } = swapOwner(ids, { uid: 0, gid: 0 });
  for (const path of [folder, ...readdirSync(folder).map((name) => join(folder, name))]) chownSync(path, uid, gid);
}

/** linux.uidMappings of the runtime-spec (config-linux.md#user-namespace-mappings) for ids 0 to `count` - 1. */
export function swapMappings(other: number, count: number): { containerID: number; hostID: number; size: number }[] {
  if (other === 0) return [{ containerID: 0, hostID: 0, size: count }];
  return [
    { containerID: 0, hostID: other, size: 1 },
    { containerID: 1, hostID: 1, size: other - 1 },
    { containerID: other, hostID: 0, size: 1 },
    { containerID: other + 1, hostID: other + 1, size: count - other - 1 },
  ].filter(({ size }) => size > 0);
}
