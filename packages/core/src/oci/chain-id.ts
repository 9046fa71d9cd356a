import { createHash } from 'node:crypto';
import { sha256Digest, type Digest } from './digest.ts';

/** Identity of a layer on those below it (image-spec, config.md#layer-chainid). */
export function chainIdOf(parent: Digest | undefined, diffId: Digest): Digest {
  if (parent === undefined) return diffId;
  return sha256Digest(createHash('sha256').update(`${parent} ${diffId}`).digest('hex'));
}
