import { basename, dirname, join } from 'node:path';
import { canonicalJson, sha256 } from '../base/canonical-json.ts';
import type { Digest } from '../oci/digest.ts';
import type { KeyParts, StepKey } from '../oci/step-key.ts';

/** What an environment is made of, exactly: devenv-lock.json. */
export interface Lock {
  /** Seconds since 1970 that no file of a layer is newer than. */
  readonly epoch: number;
  /** By `linux/amd64`. */
  readonly platforms: Readonly<Record<string, LockedPlatform>>;
}

export interface LockedPlatform {
  /** What the base's name meant; undefined when the base is no image. */
  readonly image?: LockedImage;
  /** What is made here, lowest first: a Debian base, then every step that makes a layer. */
  readonly layers: readonly LockedLayer[];
}

export interface LockedImage {
  readonly name: string;
  /** Of the index that the name meant; absent when it meant the manifest itself. */
  readonly index?: Digest;
  readonly manifest: Digest;
  /** Of the image's configuration. */
  readonly id: Digest;
}

export interface LockedLayer extends LockedInstall {
  readonly name: string;
  readonly key: StepKey;
  readonly definition: string;
  readonly diffId: Digest;
}

export interface LockedInstall {
  /** `20260131T235959Z`: the archive as it was then has the packages. */
  readonly archiveTime?: string;
  /** What the step installs; undefined: it changes no package, or its packages are of no archive. */
  readonly packages?: LockedPackages;
}

/** By `name:architecture`. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

export interface LockedPackage {
  readonly version: string;
  /** Of the .deb file. */
  readonly sha256: string;
  readonly url: string;
}

/** What of a step stays when something below it changes: its packages are locked under this hash. */
export function definitionOf({ parent: _below, ...own }: KeyParts): string {
  const { locked: _packages, ...definition } = own.definition;
  return sha256(canonicalJson({ ...own, definition }));
}

/** What a key has of packages: where they come from changes nothing. */
export function lockedInKey(packages: LockedPackages): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(packages).map(([name, { version, sha256: hash }]) => [name, `${version} ${hash}`]));
}

/** Beside the file it locks: `devenv-lock.json` for devenv.json. */
export function lockPath(configFile: string): string {
  return join(dirname(configFile), `${basename(configFile).replace(/\.jsonc?$/, '')}-lock.json`);
}
