import { closeSync, openSync, readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { isMissing } from '../../base/files.ts';
import { start } from '../../base/processes.ts';
import { cloneMount, SystemCallError } from '../../base/system-calls.ts';
import type { Owner } from './tree.ts';

export interface OwnedMount {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  /** Whose files on the host appear as whose inside, and the other way round. */
  readonly swap: readonly [Owner, Owner];
}

/**
 * Bind mounts `source` so that two owners change places in it (mount_setattr(2), "ID-mapped mounts"). All other owners stay
 * as they are: the mapping is a permutation, so that nothing shows as nobody. Returns false where the file system cannot.
 */
export async function mountOwned(options: OwnedMount): Promise<boolean> {
  const [outside, inside] = options.swap;
  const userNamespace = await namespaceWith(swapped(outside.uid, inside.uid), swapped(outside.gid, inside.gid));
  if (userNamespace === undefined) return false;
  try {
    // A file system below that cannot be idmapped must not take the mapping from the others.
    return [false, true].some((single) => tryClone({ ...options, userNamespace, single }));
  } finally {
    closeSync(userNamespace);
  }
}

function tryClone(options: OwnedMount & { readonly userNamespace: number; readonly single: boolean }): boolean {
  try {
    cloneMount(options.source, options.target, options);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && ['EINVAL', 'EPERM', 'EOPNOTSUPP', 'ENOSYS'].includes(error.code)) return false;
    throw error;
  }
}

/** A map of all ids (user_namespaces(7): ID-inside ID-outside length) that exchanges two. Its own inverse: the direction does not matter. */
export function swapped(a: number, b: number): string {
  const [low, high] = [Math.min(a, b), Math.max(a, b)];
  const all = 0xffffffff;
  if (low === high) return `0 0 ${all}\n`;
  const ranges = [
    [0, 0, low],
    [low, high, 1],
    [low + 1, low + 1, high - low - 1],
    [high, low, 1],
    [high + 1, high + 1, all - high - 1],
  ] as const;
  return ranges
    .filter(([, , length]) => length > 0)
    .map((range) => `${range.join(' ')}\n`)
    .join('');
}

/**
 * Descriptor of a user namespace with these maps. It lives in the descriptor alone: the process that made it ends here.
 * Undefined where the kernel makes none for us, as in a chroot.
 */
async function namespaceWith(uidMap: string, gidMap: string): Promise<number | undefined> {
  const helper = start('unshare', ['--user', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'], env: { PATH: '/usr/bin:/bin' } });
  const ended = new Promise<void>((resolve, reject) => helper.once('error', reject).once('close', () => resolve()));
  ended.catch(() => {}); // awaited below
  try {
    const own = readlinkSync('/proc/self/ns/user');
    const namespace = `/proc/${helper.pid}/ns/user`;
    for (let waited = 0; helper.pid !== undefined && helper.exitCode === null && readlinkSync(namespace) === own; waited++) {
      if (waited > 5000) throw new Error('unshare made no user namespace');
      await delay(1);
    }
    if (helper.pid === undefined) await ended; // it could not be started: throws
    if (helper.exitCode !== null) return undefined;
    writeFileSync(`/proc/${helper.pid}/uid_map`, uidMap);
    writeFileSync(`/proc/${helper.pid}/gid_map`, gidMap);
    return openSync(namespace, 'r');
  } catch (error) {
    if (isMissing(error) && helper.pid !== undefined) return undefined; // it ended while we looked
    if ((error as NodeJS.ErrnoException).code === 'EPERM') return undefined; // root of a namespace may not map all ids
    throw error;
  } finally {
    helper.kill('SIGKILL');
    await ended;
  }
}
