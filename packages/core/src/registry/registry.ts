import type { Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/document.ts';
import type { Image } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';

/** What a name means for a platform, as digests. */
export interface Meaning {
  readonly manifest: Digest;
  /** Of the index that the name means for all platforms; absent when it means the manifest itself. */
  readonly index?: Digest;
}

/** A place that images are named in and come from. */
export interface Registry {
  /** Undefined when the name means nothing. No layer travels. */
  resolve(reference: Reference, platform: Platform): Promise<Meaning | undefined>;
  /**
   * Layers stay remote until opened.
   * @throws UserError IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, REGISTRY_UNREACHABLE, REGISTRY_DENIED, REGISTRY_LIMIT, REGISTRY_ANSWER,
   * DIGEST_MISMATCH
   */
  get(reference: Reference, platform: Platform): Promise<Image>;
}

/** Registries over the network: images go there, too, and they can be asked what they have. Errors are those of `get`. */
export interface RemoteRegistry extends Registry {
  /**
   * Afterwards the name means the image. Only what the registry lacks is sent; the manifest comes last, so that a push that
   * was cut leaves the name as it was. An image keeps the manifest that it came with when all its blobs can be had as they
   * came: there already, mounted from another repository, or read from where the image came from. Else it gets a new one.
   * @throws UserError BAD_VALUE when the reference has no tag
   */
  put(reference: Reference, image: OutgoingImage, options?: PutOptions): Promise<Pushed>;
  /** Every tag of a repository, in the registry's order. @throws UserError IMAGE_NOT_FOUND */
  tags(repository: Repository, signal?: AbortSignal): Promise<readonly string[]>;
  /**
   * Repositories whose name has the text: Docker Hub's own search, or the catalog of a registry that shows one.
   * @throws UserError NOT_SUPPORTED when the registry shows no catalog
   */
  search(query: SearchQuery): Promise<readonly FoundRepository[]>;
  /**
   * Asks the registry whether it takes the credentials, and only then keeps them, where Docker's tools find them, too.
   * @throws UserError REGISTRY_DENIED, NOT_WRITABLE, TOOL_MISSING, HELPER_FAILED
   */
  login(host: string, credentials: Password, signal?: AbortSignal): Promise<StoredCredentials>;
  /** Forgets the credentials of a host. Gives the places that had some. */
  logout(host: string): Promise<readonly StoredCredentials[]>;
}

export type OutgoingImage = Pick<Image, 'document' | 'manifest' | 'layers'>;

export type Repository = Pick<Reference, 'registry' | 'repository'>;

export interface PutOptions {
  readonly signal?: AbortSignal;
  /** Of layers that are compressed here; default gzip, which every tool reads. */
  readonly compression?: 'gzip' | 'zstd';
  /** Hears how each layer gets there, once, when it is there. */
  readonly onLayer?: (layer: PushedLayer) => void;
  /** Hears of (compressed) bytes as they are sent; negative when some have to be sent again. */
  readonly onBytes?: (count: number) => void;
}

export interface Pushed {
  /** Of the manifest that the name means now. */
  readonly digest: Digest;
  /** Whether it is the manifest that the image came with. */
  readonly kept: boolean;
  /** In the image's order. Who keeps the blobs with the layers need not compress or send them the next time. */
  readonly layers: readonly PushedLayer[];
}

export interface PushedLayer {
  readonly diffId: Digest;
  /** What it is in the registry. */
  readonly blob: Descriptor;
  /** It was there; it was mounted from another repository of the registry; it was sent. */
  readonly how: 'present' | 'mounted' | 'sent';
}

export interface SearchQuery {
  /** Host; `docker.io` is Docker Hub. */
  readonly registry: string;
  readonly text: string;
  /** At most as many; default 25. */
  readonly limit?: number;
  readonly signal?: AbortSignal;
}

export interface FoundRepository {
  /** As it can be pulled: `docker.io/library/node`, `registry.example:5000/team/app`. */
  readonly name: string;
  /** Of Docker Hub. */
  readonly description?: string;
  readonly stars?: number;
  readonly official?: boolean;
}

export interface Password {
  readonly user: string;
  readonly password: string;
}

/** What a user told the tools of this machine about a registry. Never written to a log. */
export type Credentials =
  | ({ readonly kind: 'password' } & Password)
  /** A refresh token of OAuth 2. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A token to send as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

export interface StoredCredentials {
  /** Path of a file (mode 0600), or name of a credential helper's program. */
  readonly place: string;
  /** In a file the password can be read by whoever reads the file: worth a word. */
  readonly kind: 'file' | 'helper';
}
