import type { Digest } from '../oci/digest.ts';
import type { Image } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';

/** A place that images are named in and come from. */
export interface Registry {
  /** The digest of the manifest that a name means for a platform, or undefined when there is none. No layer travels. */
  resolve(reference: Reference, platform: Platform): Promise<Digest | undefined>;
  /**
   * Layers stay remote until opened.
   * @throws UserError IMAGE_NOT_FOUND, PLATFORM_NOT_FOUND, REGISTRY_UNREACHABLE, REGISTRY_DENIED, REGISTRY_ANSWER, DIGEST_MISMATCH
   */
  get(reference: Reference, platform: Platform): Promise<Image>;
}
