import type { BigIntStats } from 'node:fs';
import { readJson, writeFileAtomically } from '../base/files.ts';
import { fileSha256 } from '../base/hash-file.ts';

interface Remembered {
  /** Size, modification time, change time and inode: a file that has all four unchanged has its content unchanged. */
  readonly stamp: string;
  readonly sha256: string;
}

/** A file changed this shortly before it is hashed could change again within one tick of the clock: such a hash is not kept. */
const settleNanoseconds = 2_000_000_000n;

/** Content hashes remembered between commands. Losing them costs time, never correctness. */
export class HashCache {
  private readonly path: string;
  private readonly before: Readonly<Record<string, Remembered>>;
  private readonly now: Record<string, Remembered> = {};
  private changed = false;

  constructor(path: string) {
    this.path = path;
    this.before = readJson<Record<string, Remembered>>(path) ?? {};
  }

  /** Hexadecimal SHA-256 of a regular file's content. */
  sha256(path: string, stats: BigIntStats): string {
    const stamp = `${stats.size} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.ino}`;
    const remembered = this.before[path];
    if (remembered?.stamp === stamp) {
      this.now[path] = remembered;
      return remembered.sha256;
    }
    const sha256 = fileSha256(path);
    const settled = BigInt(Date.now()) * 1_000_000n - stats.ctimeNs > settleNanoseconds;
    if (settled) {
      this.now[path] = { stamp, sha256 };
      this.changed = true;
    }
    return sha256;
  }

  /** Keeps what was asked for this time. A cache that cannot be written is no reason to fail. */
  save(): void {
    if (!this.changed && Object.keys(this.now).length === Object.keys(this.before).length) return;
    try {
      writeFileAtomically(this.path, JSON.stringify(this.now));
    } catch {
      // The next command hashes again.
    }
  }
}
