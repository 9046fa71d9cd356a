import type { Readable } from 'node:stream';
import type { Digest } from './digest.ts';
import type { Descriptor } from './document.ts';
import type { Platform } from './platform.ts';

/** The execution parameters of an image (image-spec, config.md), in our own names. Env keeps its order. */
export interface ImageConfig {
  readonly env: Readonly<Record<string, string>>;
  /** As the image says it: name, uid, or either with `:group`; empty means root. */
  readonly user: string;
  readonly workdir: string;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly stopSignal?: string;
}

/** An immutable file-system change set, wherever its bytes are: registry, store or archive. */
export interface Layer {
  /** sha256 of the uncompressed tar. */
  readonly diffId: Digest;
  /** Bytes that travel, when known: for progress only. */
  readonly size?: number;
  /** The blob that it came as, compressed or not, when it came as one. How bytes travel, never what the layer is. */
  readonly blob?: Descriptor;
  /** Repositories (`host/name`) that are known to hold that blob: a push there need not send it. */
  readonly sources?: readonly string[];
  /**
   * The uncompressed tar. Bytes are verified against the descriptor's digest and size and against the diffId while they
   * stream; a mismatch errors the stream. `onBytes` hears of the (compressed) bytes as they arrive.
   */
  open(options?: OpenOptions): Promise<Readable>;
  /** The bytes of `blob` as they are where it came from, for passing them on: whoever gets them checks them. */
  openBlob?(options?: OpenOptions): AsyncIterable<Buffer>;
  /** The layer is kept elsewhere now: what was saved of its transfer, so that a cut one can go on, may go. */
  release?(): void;
}

export interface OpenOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
  /** The layers above will be opened next: their bytes may begin to travel. The signal ends that, too. */
  readonly ahead?: boolean;
}

/** An immutable image for one platform. */
export interface Image {
  /** Digest of the config document: the image's identity however its layers are compressed. */
  readonly id: Digest;
  /** The config document, byte for byte: its digest is `id`. */
  readonly document: Buffer;
  /** The manifest that it came with, byte for byte. */
  readonly manifest?: { readonly digest: Digest; readonly mediaType: string; readonly bytes: Buffer };
  readonly platform: Platform;
  readonly config: ImageConfig;
  readonly layers: readonly Layer[];
}
