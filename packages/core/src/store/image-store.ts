import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 } from '../base/canonical-json.ts';
import type { Directories } from '../base/directories.ts';
import { UserError } from '../base/errors.ts';
import { listNames, readJson, writeFileAtomically } from '../base/files.ts';
import { areStrings, hasStrings, isObject } from '../base/shape.ts';
import { isDigest, type Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/document.ts';
import { parseImageConfig } from '../oci/image-config.ts';
import type { Image } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import { familiarName, formatReference, parseReference } from '../oci/reference.ts';
import type { LayerId, LayerStore } from './layer-store.ts';

/** The version of the record below. */
const recordSchema = 1;

/** An image that has a name on this machine, or had none when it came. Its layers are in the layer store. */
export interface KeptImage {
  readonly schema: typeof recordSchema;
  /** Complete, with a tag: `docker.io/library/node:24`. Undefined: it is known by its id only. */
  readonly name: string | undefined;
  /** Digest of the config document. */
  readonly id: Digest;
  readonly platform: Platform;
  /** The config document, byte for byte, in base64; so is the manifest it was pulled with. */
  readonly document: string;
  readonly manifest?: { readonly digest: Digest; readonly mediaType: string; readonly bytes: string };
  /** What it was pulled or pushed by: `docker.io/library/node@sha256:…`. */
  readonly digests: readonly string[];
  /** Lowest first. */
  readonly layers: readonly KeptLayer[];
  /** When the image was made, ISO 8601; when it came here, if it does not say. */
  readonly createdAt: string;
}

export interface KeptLayer {
  readonly layer: LayerId;
  readonly diffId: Digest;
  /** How it has travelled, compressed or not, and which repositories (`host/name`) hold that. */
  readonly blobs: readonly KeptBlob[];
}

export interface KeptBlob {
  readonly blob: Descriptor;
  readonly sources: readonly string[];
}

/** The names of images on this machine. Changing what a name means never changes an image. */
export interface ImageStore {
  /** By name, by name and digest, or by the beginning of an id. @throws UserError BAD_VALUE when several ids begin so */
  find(text: string): KeptImage | undefined;
  /** Newest first. */
  all(): readonly KeptImage[];
  /** Afterwards the name means this image. */
  set(image: KeptImage): void;
  /** Idempotent: afterwards the name means nothing. */
  remove(image: Pick<KeptImage, 'name' | 'id'>): void;
}

/** A file for each name in `<data>/images`, written at once: readers see the old image or the new one. */
export function diskImageStore(directories: Pick<Directories, 'data'>): ImageStore {
  const folder = join(directories.data, 'images');
  // A name may be longer than a file's may be.
  const fileOf = ({ name, id }: Pick<KeptImage, 'name' | 'id'>): string => join(folder, `${sha256(name ?? id)}.json`);
  const all = (): readonly KeptImage[] =>
    listNames(folder)
      .filter((name) => name.endsWith('.json'))
      .map((file) => readJson(join(folder, file)))
      .filter(isKeptImage)
      .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt) || (a.name ?? '').localeCompare(b.name ?? ''));
  return {
    all,
    find(text) {
      const images = all();
      return byName(images, text) ?? byId(images, text);
    },
    set(image) {
      writeFileAtomically(fileOf(image), JSON.stringify(image));
      if (image.name !== undefined) rmSync(fileOf({ name: undefined, id: image.id }), { force: true }); // it has a name now
    },
    remove(image) {
      rmSync(fileOf(image), { force: true });
    },
  };
}

/** Every layer that a named image stands on: who collects layers keeps them and those below them. */
export function layersOfImages(images: ImageStore): readonly LayerId[] {
  return [...new Set(images.all().flatMap(({ layers }) => layers.map(({ layer }) => layer)))];
}

/** The image itself: its layers come from the store. `target`: the repository (`host/name`) that it is for, which may hold blobs of them. */
export async function imageOf(kept: KeptImage, store: Pick<LayerStore, 'open'>, target?: string): Promise<Image> {
  const document = Buffer.from(kept.document, 'base64');
  const layers = [];
  for (const { layer, blobs } of kept.layers) layers.push({ ...(await store.open(layer)), ...nearest(blobs, target) });
  const { manifest } = kept;
  return {
    id: kept.id,
    document,
    ...(manifest ? { manifest: { ...manifest, bytes: Buffer.from(manifest.bytes, 'base64') } } : {}),
    platform: kept.platform,
    config: parseImageConfig(document).config,
    layers,
  };
}

/** The image, which the repository holds now, as these blobs. */
export function pushedTo(repository: string, image: KeptImage, digest: Digest, blobs: readonly Descriptor[]): KeptImage {
  return {
    ...image,
    digests: [...new Set([...image.digests, `${repository}@${digest}`])],
    layers: image.layers.map((layer, index) => ({ ...layer, blobs: withSource(layer.blobs, blobs[index]!, repository) })),
  };
}

function withSource(known: readonly KeptBlob[], blob: Descriptor, repository: string): readonly KeptBlob[] {
  const before = known.find((other) => other.blob.digest === blob.digest);
  const sources = [...new Set([...(before?.sources ?? []), repository])];
  return [...known.filter((other) => other !== before), { blob: before?.blob ?? blob, sources }];
}

/** The one that the repository holds, else one that its registry does, else how it came. */
function nearest(blobs: readonly KeptBlob[], target: string | undefined): Partial<KeptBlob> {
  const host = target?.slice(0, target.indexOf('/') + 1);
  return (
    blobs.find(({ sources }) => target !== undefined && sources.includes(target)) ??
    blobs.find(({ sources }) => host !== undefined && sources.some((source) => source.startsWith(host))) ??
    blobs[0] ??
    {}
  );
}

/** The record of an image whose layers are in the store. */
export function keptImage(name: string | undefined, image: Image, layers: readonly LayerId[]): KeptImage {
  const { manifest } = image;
  return {
    schema: recordSchema,
    name,
    id: image.id,
    platform: image.platform,
    document: image.document.toString('base64'),
    ...(manifest ? { manifest: { ...manifest, bytes: manifest.bytes.toString('base64') } } : {}),
    digests: [],
    layers: image.layers.map(({ diffId, blob, sources }, index) => ({
      layer: layers[index]!,
      diffId,
      blobs: blob ? [{ blob, sources: sources ?? [] }] : [],
    })),
    createdAt: parseImageConfig(image.document).created ?? new Date().toISOString(),
  };
}

function byName(images: readonly KeptImage[], text: string): KeptImage | undefined {
  let reference;
  try {
    reference = parseReference(text);
  } catch {
    return undefined; // it may still be an id
  }
  const { digest, ...named } = reference;
  if (digest === undefined) return images.find(({ name }) => name === formatReference(reference));
  const repository = `${named.registry}/${named.repository}`;
  return images.find(
    (image) =>
      image.digests.includes(`${repository}@${digest}`) && (named.tag === undefined || image.name === `${repository}:${named.tag}`),
  );
}

function byId(images: readonly KeptImage[], text: string): KeptImage | undefined {
  const match = /^(?:sha256:)?([0-9a-f]{3,64})$/.exec(text);
  if (!match) return undefined;
  const found = images.filter(({ id }) => id.startsWith(`sha256:${match[1]}`));
  if (new Set(found.map(({ id }) => id)).size > 1) {
    throw new UserError('BAD_VALUE', `Several images have an id that begins with ${match[1]}.`, {
      hint: `Write more of it: ${found.map(({ name, id }) => `${id.slice(7, 23)} (${name === undefined ? 'no name' : familiarName(name)})`).join(', ')}`,
    });
  }
  return found[0];
}

/** What is not as we write it is no image: it costs a pull. */
function isKeptImage(value: unknown): value is KeptImage {
  if (!isObject(value) || value['schema'] !== recordSchema || !hasStrings(value, 'id', 'document', 'createdAt')) return false;
  const { id, name, layers, digests, platform }: Partial<Record<keyof KeptImage, unknown>> = value;
  return (
    isDigest(id as string) &&
    (name === undefined || typeof name === 'string') &&
    areStrings(digests) &&
    isObject(platform) &&
    Array.isArray(layers) &&
    layers.every((layer) => isObject(layer) && hasStrings(layer, 'layer', 'diffId') && Array.isArray(layer['blobs']))
  );
}
