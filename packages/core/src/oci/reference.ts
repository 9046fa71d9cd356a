import type { Digest } from './digest.ts';

/** A name of an image, complete: `docker.io/library/node:24@sha256:…`. */
export interface Reference {
  /** Host and optional port, as written; `docker.io` when the name had none. */
  readonly registry: string;
  readonly repository: string;
  /** `latest` when the name had neither tag nor digest. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}
