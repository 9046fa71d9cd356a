import type { Digest } from '../oci/digest.ts';
import type { Layer } from '../oci/image.ts';
import type { KeyParts, StepKey } from '../oci/step-key.ts';

/** Names a committed layer in one store: a short number for the embedded store. Never leaves the machine. */
export type LayerId = string & { readonly __brand: 'LayerId' };

/** What the store knows of a committed layer. */
export interface LayerInfo {
  readonly id: LayerId;
  /** The layer below; undefined for the lowest. */
  readonly parent: LayerId | undefined;
  /** sha256 of the canonical uncompressed tar, once computed. */
  readonly diffId: Digest | undefined;
  /** Identity of this layer on those below it (image-spec, config.md#layer-chainid), for pulled layers. */
  readonly chainId: Digest | undefined;
  readonly entries: number;
  /** Sum of the sizes of its regular files. */
  readonly bytes: number;
  /** Length of its archive, once known. */
  readonly tarBytes?: number;
}

/** A writable change set with one owner. Disposed before `commit`: its changes are discarded. */
export interface Draft extends AsyncDisposable {
  /** Directory of the change set, as overlayfs wants an upper directory (whiteouts are 0:0 character devices). */
  readonly upper: string;
  /** overlayfs' work directory, beside `upper`. */
  readonly work: string;
  /** An empty directory to mount the tree on. */
  readonly merged: string;
  /** Brings `upper` into canonical form and makes it a layer. Nothing may be mounted on it any more. */
  commit(options: CommitOptions): Promise<LayerId>;
}

export interface CommitOptions {
  /** Files and symlinks below `upper`, relative, that are removed when they are still as given. */
  readonly copies?: ReadonlyMap<string, { readonly sha256: string; readonly mode: number } | { readonly target: string }>;
  /** Directories and empty files made for the step (mount points, parents of copies), relative, parents first: removed when empty. */
  readonly litter?: readonly string[];
}

/** Layers unpacked on this machine. A layer is committed (immutable) or a draft (writable, one owner). */
export interface LayerStore {
  /** Idempotent: afterwards the layer is here on `parent`, whoever put it. */
  add(layer: Layer, parent: LayerId | undefined, options: AddOptions): Promise<LayerId>;
  draft(parent: LayerId | undefined): Promise<Draft>;
  info(id: LayerId): Promise<LayerInfo | undefined>;
  /**
   * The layer as it travels: the archive that it came as, byte for byte, or the canonical one of what a step made. Its diffId is
   * computed when it is not known yet. `size` is that of the archive.
   * @throws UserError NOT_SUPPORTED for a layer that was unpacked by an older devenv
   */
  open(id: LayerId): Promise<Layer & { readonly size: number }>;
  /** The change-set directories of a layer and those below it, topmost first. */
  stack(id: LayerId | undefined): Promise<readonly string[]>;
  /** Waits until no other process makes this key; held until disposed. */
  claim(key: StepKey, onWait: (holders: readonly number[]) => void, signal: AbortSignal): Promise<Disposable>;
  /** Removes drafts whose owner is gone. */
  reap(): Promise<void>;
}

export interface AddOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
  /** The layers above will be added next (OpenOptions). */
  readonly ahead?: boolean;
}

/** What a step gave the last time, with everything that made its key. */
export interface StepRecord {
  readonly key: StepKey;
  readonly parts: KeyParts;
  readonly layer: LayerId;
  /** How people know the step: its project and its name. Not part of the key. */
  readonly step: { readonly project: string; readonly name: string };
  readonly seconds: number;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** Remembers what a step produced. Losing it costs time, never correctness. */
export interface StepCache {
  get(key: StepKey): Promise<StepRecord | undefined>;
  set(record: StepRecord): Promise<void>;
  /** What the step of this key and those below it made is of use now: who makes room takes it later than other things. */
  used(key: StepKey): Promise<void>;
  /** Every record, newest first: what `why` compares with. */
  all(): Promise<readonly StepRecord[]>;
}
