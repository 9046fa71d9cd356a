/** How stacked directories become one tree on this host. Every layer is the same whichever driver its tree came from. */
export interface StorageDriver {
  readonly name: StorageDriverName;
  /** Tries it in a private folder of the data directory, of which nothing remains. */
  probe(folder: string): Promise<StorageFinding>;
  /**
   * Shows the tree at its target, in our mount namespace; `detachAll` takes it away. Layers stay as they are, whatever is done
   * in the tree. Mounted again, it has what was done before: also by another process, and after a crash.
   */
  mount(tree: Tree): Promise<void>;
  /** Brings what was done into `upper` (as overlayfs has it, to be normalised). The tree is unmounted, and used up afterwards. */
  collect(tree: Tree): Promise<void>;
  /** Bytes on the disk of what was done that counting the files below `work` does not find. */
  hiddenBytes(tree: Pick<Tree, 'layers' | 'work' | 'upper'>): number;
  /** False when a program that the tree needs is gone: whatever runs on it is lost. */
  isServed(writable: Writable): boolean;
  /** Ends what serves an unmounted tree. Idempotent; what was done in it stays. */
  release(writable: Writable): Promise<void>;
  /** Removes what was kept for layers that are gone. */
  reap(): Promise<void>;
}

/** Better ones first (docs/decisions/0015). */
export const storageDriverNames = ['overlay', 'btrfs', 'fuse-overlayfs', 'copy'] as const;
export type StorageDriverName = (typeof storageDriverNames)[number];

export interface Writable {
  /** Empty at first; lends the tree's root its owner and mode. */
  readonly upper: string;
  /** The driver's own, on the same file system. */
  readonly work: string;
}

export interface Tree extends Writable {
  /** Change sets, topmost first; none: the tree is empty at first. */
  readonly layers: readonly string[];
  /** An empty directory. */
  readonly target: string;
  /** Of no use after a crash: mounted once, and nothing of it has to be on disk when it is unmounted. */
  readonly volatile?: boolean;
}

export interface StorageFinding {
  readonly ok: boolean;
  readonly answer: string;
  readonly fix?: string;
}
