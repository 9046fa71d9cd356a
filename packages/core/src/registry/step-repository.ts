import { Readable } from 'node:stream';
import { UserError } from '../base/errors.ts';
import { isObject } from '../base/shape.ts';
import { badArchive } from '../oci/bad-archive.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import { imageDocument } from '../oci/image-document.ts';
import type { Image, Layer } from '../oci/image.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { parseReference, type Reference } from '../oci/reference.ts';
import { stepKey, type KeyParts, type StepKey } from '../oci/step-key.ts';
import type { RemoteRegistry } from './registry.ts';

/**
 * What others made of steps, in a repository of a registry: a claim, which only who named the repository believes. Each step is an
 * image of one layer with a tag of its own, so that every registry takes it and only what is missing travels; its record is a label.
 */
export interface StepRepository {
  /** `ghcr.io/team/cache`. */
  readonly name: string;
  /** Its registry: who transfers with it. */
  readonly host: string;
  /**
   * Undefined when it does not have the step. The record was checked to be the wanted one's; the layer is checked when it is read.
   * @throws UserError those of a registry; REGISTRY_ANSWER for what cannot be what was asked for
   */
  find(key: StepKey, platform: Platform): Promise<RemoteStep | undefined>;
  /** Afterwards it has this of the step, whatever it had before. Only what it lacks is sent. @throws UserError those of a registry */
  publish(step: OutgoingStep, options?: PublishOptions): Promise<void>;
}

export interface RemoteStep {
  readonly key: StepKey;
  /** How long it took where it ran. */
  readonly seconds: number;
  /** The layers that it was made on (a chainId); on another tree its change set means nothing. Undefined: on nothing. */
  readonly below: Digest | undefined;
  /** `size` is that of the blob. Its archive ends with an error where it is longer than it was said to be. */
  readonly layer: Layer & { readonly size: number };
}

export interface OutgoingStep {
  readonly parts: KeyParts;
  readonly seconds: number;
  readonly below: Digest | undefined;
  /** `size` is that of the archive. */
  readonly layer: Layer & { readonly size: number };
  readonly platform: Platform;
}

export interface PublishOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
}

/** @throws UserError BAD_VALUE for what is no name of a repository */
export function requireRepository(name: string): Reference {
  const place = parseReference(name);
  if (place.digest !== undefined || /:[^/]*$/.test(name.slice(name.indexOf('/') + 1)))
    throw new UserError('BAD_VALUE', `${JSON.stringify(name)} names one image: a cache of steps is a whole repository.`, {
      hint: 'Leave out the tag: each step gets one of its own.',
    });
  return place;
}

/** @throws UserError BAD_VALUE for what is no name of a repository */
export function stepRepository(name: string, registry: RemoteRegistry): StepRepository {
  const place = requireRepository(name);
  const tagged = (key: StepKey): Reference => ({ ...place, tag: `devenv-${key}`, digest: undefined });
  return {
    name,
    host: place.registry,
    async find(key, platform) {
      let image: Image;
      try {
        image = await registry.get(tagged(key), platform);
      } catch (error) {
        if (error instanceof UserError && error.code === 'IMAGE_NOT_FOUND') return undefined;
        throw error;
      }
      return readStep(image, key, platform, name);
    },
    async publish({ parts, seconds, below, layer, platform }, options = {}) {
      const record = { schema: 1, parts, seconds, below: below ?? null, tarBytes: layer.size };
      const document = imageDocument({
        platform,
        diffIds: [layer.diffId],
        config: { Labels: { [label]: JSON.stringify(record) } },
        history: [{ created, created_by: 'a step of a build', comment: 'devenv' }],
        created,
      });
      await registry.put(tagged(stepKey(parts)), { document, layers: [layer] }, { ...options, compression: 'zstd' });
    },
  };
}

const label = 'dev.devenv.step';
const created = '2026-01-01T00:00:00Z'; // the same step gives the same document
/** What unpacks to more is made here instead: zeros alone compress as well, and so does what is to fill a disk. */
const mostExpansion = { times: 200, bytes: 64 * 1024 * 1024 };

function readStep(image: Image, key: StepKey, platform: Platform, name: string): RemoteStep {
  const refuse = (why: string): UserError =>
    new UserError('REGISTRY_ANSWER', `What ${name} has of the step ${key.slice(0, 12)} cannot be used: ${why}.`, {
      hint: 'Whoever may write there should look at it; the step is run instead.',
    });
  const record = recordOf(image.config.labels[label]);
  const [layer] = image.layers;
  if (!record || !layer || image.layers.length !== 1) throw refuse('it is no record of a step');
  const { parts, seconds, below, tarBytes } = record;
  if (keyOf(parts) !== key) throw refuse('it is the record of another step');
  if (parts.platform !== formatPlatform(platform)) throw refuse(`it is for ${parts.platform}`);
  const size = layer.size ?? 0;
  if (tarBytes > size * mostExpansion.times + mostExpansion.bytes) throw refuse(`${size} bytes are said to unpack to ${tarBytes}`);
  const open: Layer['open'] = async (options) => Readable.from(noLonger(await layer.open(options), tarBytes));
  return { key, seconds, below, layer: { ...layer, size, open } };
}

function recordOf(text: string | undefined): (Pick<RemoteStep, 'seconds' | 'below'> & { parts: KeyParts; tarBytes: number }) | undefined {
  let record: unknown;
  try {
    record = JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
  if (!isObject(record)) return undefined;
  const { schema, parts, seconds, below, tarBytes } = record;
  if (schema !== 1 || !isObject(parts) || typeof seconds !== 'number' || !(seconds >= 0)) return undefined;
  if (typeof tarBytes !== 'number' || !Number.isSafeInteger(tarBytes) || tarBytes < 0) return undefined;
  if (below !== null && !(typeof below === 'string' && isDigest(below))) return undefined;
  return { parts: parts as unknown as KeyParts, seconds, below: below ?? undefined, tarBytes };
}

/** Undefined for what no key can be made of, such as what is nested too deep. */
function keyOf(parts: KeyParts): StepKey | undefined {
  try {
    return stepKey(parts);
  } catch {
    return undefined;
  }
}

async function* noLonger(tar: AsyncIterable<Buffer>, most: number): AsyncGenerator<Buffer> {
  let count = 0;
  for await (const chunk of tar) {
    count += chunk.length;
    if (count > most) throw badArchive('a layer unpacks to more than its record says');
    yield chunk;
  }
}
