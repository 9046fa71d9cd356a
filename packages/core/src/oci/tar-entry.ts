/** One member of a tar archive, whatever dialect told it. */
export interface TarEntry {
  /** As in the archive, not normalised: may be absolute, hold `..` or end in a slash. See file-name.ts for its bytes. */
  name: string;
  type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character-device' | 'block-device' | 'fifo';
  /** Permission bits with set-user-id, set-group-id and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Whole seconds since the epoch, rounded down, and the rest. */
  seconds: number;
  nanoseconds: number;
  /** Length of a file, holes included; 0 for the other types. */
  size: number;
  /** Of a symbolic or hard link. */
  target: string;
  major: number;
  minor: number;
  /** Extended attributes, complete names (`user.note`). */
  attributes: ReadonlyMap<string, Buffer> | undefined;
  /** Where a sparse file has data; undefined: everywhere. */
  extents: readonly Extent[] | undefined;
}

export interface Extent {
  readonly offset: number;
  readonly length: number;
}
