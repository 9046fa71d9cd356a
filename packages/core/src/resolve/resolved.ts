import type { Config } from '../config/config.ts';
import type { Digest } from '../oci/digest.ts';
import type { LockedPlatform } from '../lock/lock.ts';
import type { ImageConfig } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import type { InputEntry } from '../oci/step-key.ts';
import type { LocalSource } from '../registry/local.ts';
import type { Meaning } from '../registry/registry.ts';

/** The config with every name turned into a digest, and every declared file into its content. */
export interface Resolved {
  readonly config: Config;
  readonly platform: Platform;
  readonly base: ResolvedBase;
  /** For each step, by its index, the workspace files it reads. */
  readonly files: readonly (readonly ResolvedFile[])[];
  /** What is locked for this platform; undefined: there is no lock. */
  readonly lock?: LockedPlatform;
}

export type ResolvedBase =
  | {
      readonly kind: 'image';
      /** For people, and for a registry its complete name. */
      readonly reference: string;
      readonly name: ResolvedName;
      /** Where an image lies that comes from no registry; in no key. */
      readonly local?: LocalSource & { /** Of before it was read. */ readonly stamp: string };
    }
  | {
      readonly kind: 'debian';
      readonly suite: string;
      readonly packages: readonly string[];
      readonly mirror: string | undefined;
      readonly snapshot: string | undefined;
    }
  | { readonly kind: 'scratch' };

/** What a registry said that a name means for one platform. Kept with the environment, so that nobody is asked twice. */
export interface ResolvedName extends Meaning {
  /** The image's identity: the digest of its config. */
  readonly image: Digest;
  readonly config: ImageConfig;
}

/** By `reference platform`; what lies on this machine by its place and what changes when it does. */
export type ResolvedNames = Readonly<Record<string, ResolvedName>>;

export interface ResolvedFile {
  /** Relative to the workspace, `/` between names. */
  readonly path: string;
  /** Absolute path inside the container. */
  readonly target: string;
  readonly entry: InputEntry;
}
