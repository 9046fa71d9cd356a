import { closeSync, openSync, rmSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { ioctl, SystemCallError } from './system-calls.ts';

/**
 * Makes a subvolume, empty or as a snapshot of another one (btrfs-ioctl(2): BTRFS_IOC_SUBVOL_CREATE_V2, BTRFS_IOC_SNAP_CREATE_V2).
 * @throws SystemCallError ENOTTY where the file system is not btrfs
 */
export function makeSubvolume(path: string, from?: string): void {
  if (from === undefined) return request(path, 0x50009418, -1);
  const source = openSync(from, 'r');
  try {
    request(path, 0x50009417, source);
  } finally {
    closeSync(source);
  }
}

/** Idempotent: afterwards nothing is there. A subvolume goes at once (BTRFS_IOC_SNAP_DESTROY_V2), whatever is in it. */
export function removeSubvolume(path: string): void {
  try {
    request(path, 0x5000943f, -1);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return;
    // Not every user may do it at once; an emptied one goes like a directory (Linux 4.18).
    if (!(error instanceof SystemCallError)) throw error;
    rmSync(path, { recursive: true, force: true });
  }
}

/** On the folder of the subvolume. */
function request(path: string, number: number, source: number): void {
  const argument = Buffer.alloc(4096); // struct btrfs_ioctl_vol_args_v2: fd, transid, flags, four unused words, the name
  argument.writeBigInt64LE(BigInt(source));
  argument.write(basename(path), 56);
  const folder = openSync(dirname(path), 'r');
  try {
    ioctl(folder, number, argument);
  } finally {
    closeSync(folder);
  }
}
