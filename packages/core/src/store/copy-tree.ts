import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  type BigIntStats,
} from 'node:fs';
import { getAttribute, listAttributes, makeNode, setAttribute, setTimes } from '../base/system-calls.ts';
import { pathOf } from '../oci/file-name.ts';
import { decodeName } from '../oci/file-name.ts';

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Makes `target`, which does not exist, a copy of a directory: types, modes, times, attributes, whiteouts and links among its
 * files stay, owners are those that `ownerOf` gives. Data is shared where the file system can; a file whose owner stays is
 * a further name of the same file when `sharing` is set, for copies that nobody writes to. Sockets are left out.
 */
export function copyTree(source: string, target: string, ownerOf: (owner: Owner) => Owner, sharing: boolean): void {
  new TreeCopy(ownerOf, sharing).directory(source, target, lstatSync(pathOf(source), { bigint: true }));
}

class TreeCopy {
  readonly #ownerOf: (owner: Owner) => Owner;
  readonly #sharing: boolean;
  /** Where files with further names went, by inode. */
  readonly #copied = new Map<bigint, string>();

  constructor(ownerOf: (owner: Owner) => Owner, sharing: boolean) {
    this.#ownerOf = ownerOf;
    this.#sharing = sharing;
  }

  directory(source: string, target: string, stats: BigIntStats): void {
    mkdirSync(pathOf(target), { mode: 0o700 });
    // Opened from the one that holds it: a container may be changing the tree, and no link that it puts there is followed.
    const opened = openSync(pathOf(source), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    const directory = `/proc/self/fd/${opened}`;
    try {
      for (const bytes of readdirSync(directory, { encoding: 'buffer' })) {
        const name = decodeName(bytes);
        const [from, to] = [`${directory}/${name}`, `${target}/${name}`];
        const entry = lstatSync(pathOf(from), { bigint: true });
        if (entry.isDirectory()) this.directory(from, to, entry);
        else if (!entry.isSocket()) this.#entry(from, to, entry);
      }
      this.#finish(`${directory}/.`, target, stats);
    } finally {
      closeSync(opened);
    }
  }

  #entry(source: string, target: string, stats: BigIntStats): void {
    const first = this.#copied.get(stats.ino);
    if (first !== undefined) return linkSync(pathOf(first), pathOf(target));
    if (stats.nlink > 1n) this.#copied.set(stats.ino, target);
    if (this.#sharing && this.#keepsOwner(stats)) return linkSync(pathOf(source), pathOf(target));
    if (stats.isSymbolicLink()) symlinkSync(readlinkSync(pathOf(source), { encoding: 'buffer' }), pathOf(target));
    else if (stats.isFile()) copyContent(source, target);
    else makeNode(pathOf(target), Number(stats.mode), ...deviceNumbers(stats.rdev));
    this.#finish(source, target, stats);
  }

  #keepsOwner(stats: BigIntStats): boolean {
    const owner = { uid: Number(stats.uid), gid: Number(stats.gid) };
    const next = this.#ownerOf(owner);
    return next.uid === owner.uid && next.gid === owner.gid;
  }

  /** The owner first: who changes it takes set-user-id bits and capabilities away. */
  #finish(source: string, target: string, stats: BigIntStats): void {
    const { uid, gid } = this.#ownerOf({ uid: Number(stats.uid), gid: Number(stats.gid) });
    lchownSync(pathOf(target), uid, gid);
    if (!stats.isSymbolicLink()) chmodSync(pathOf(target), Number(stats.mode & 0o7777n));
    for (const name of listAttributes(pathOf(source))) {
      const value = name === 'security.selinux' ? undefined : getAttribute(pathOf(source), name);
      if (value) setAttribute(pathOf(target), name, value);
    }
    const nanoseconds = Number(((stats.mtimeNs % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
    setTimes(pathOf(target), Number((stats.mtimeNs - BigInt(nanoseconds)) / 1_000_000_000n), nanoseconds);
  }
}

function copyContent(source: string, target: string): void {
  const opened = openSync(pathOf(source), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    copyFileSync(`/proc/self/fd/${opened}`, pathOf(target), constants.COPYFILE_FICLONE);
  } finally {
    closeSync(opened);
  }
}

/** gnu_dev_major(3), gnu_dev_minor(3). */
function deviceNumbers(device: bigint): [number, number] {
  return [Number(((device >> 32n) & 0xfffff000n) | ((device >> 8n) & 0xfffn)), Number(((device >> 12n) & 0xffffff00n) | (device & 0xffn))];
}
