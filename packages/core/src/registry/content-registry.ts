import { createHash } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import { choosePlatform, platformsOf, runsOn } from '../oci/choose-platform.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import { documentLimit, DocumentError, type Descriptor } from '../oci/document.ts';
import { parseImageConfig } from '../oci/image-config.ts';
import type { Image, Layer } from '../oci/image.ts';
import { layerStream } from '../oci/layer-stream.ts';
import { manifestMediaTypes, parseManifest, type Index, type Manifest } from '../oci/manifest.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import { mismatch, verified } from '../oci/verify.ts';
import type { Registry } from './registry.ts';

/** Where manifests and blobs come from. Nothing it gives is trusted. */
export interface Content {
  /** Undefined when there is no such tag or digest. */
  manifest(reference: Reference): Promise<{ readonly bytes: Buffer; readonly mediaType?: string } | undefined>;
  /** The bytes of a blob, from its beginning. */
  blob(reference: Reference, descriptor: Descriptor, options: BlobOptions): AsyncIterable<Buffer>;
  /** Begins a transfer that `blob` will go on with, when there is a place to keep what arrives. */
  ahead?(reference: Reference, descriptor: Descriptor, options: BlobOptions): void;
  /** What was kept of the transfer of a blob is not needed any more, or is not to be trusted. */
  forget?(descriptor: Descriptor): void;
}

export interface BlobOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
  /** What arrives may be kept until `forget`, so that a transfer that is cut goes on where it was. */
  readonly keep?: boolean;
}

/** How errors speak of the place that content comes from. */
export interface Words {
  name(reference: Reference): string;
  notFound(reference: Reference): UserError;
  /** Something is not what the specification says. */
  unusable(reference: Reference, why: string): UserError;
}

const registryWords: Words = { name: formatReference, notFound, unusable: answer };

/** A registry over content: what a name means, which platform, and that every byte is the one that was named. */
export function contentRegistry(content: Content, words: Words = registryWords): Registry {
  const source: Source = { content, words };
  return {
    async resolve(reference, platform) {
      const found = await find(source, reference, platform);
      return found && { manifest: found.digest, ...(found.index ? { index: found.index } : {}) };
    },
    async get(reference, platform) {
      const found = await find(source, reference, platform);
      if (!found) throw words.notFound(reference);
      return imageOf(source, reference, found, platform);
    },
  };
}

interface Source {
  readonly content: Content;
  readonly words: Words;
}

interface Found {
  readonly digest: Digest;
  /** Of the index that led to it. */
  readonly index?: Digest;
  readonly manifest: Manifest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

async function find(source: Source, reference: Reference, platform: Platform): Promise<Found | undefined> {
  const first = await fetchManifest(source, reference);
  if (!first) return undefined;
  if (first.document.kind === 'manifest') return { ...first, manifest: first.document };
  const index = first.digest;
  const second = await fetchEntry(source, reference, first.document, platform);
  if (second.document.kind === 'manifest') return { ...second, index, manifest: second.document };
  // An index of indexes is allowed by the specification and used by some; more is nobody's wish.
  const third = await fetchEntry(source, reference, second.document, platform);
  if (third.document.kind !== 'manifest') throw source.words.unusable(reference, 'its index leads to an index of an index');
  return { ...third, index, manifest: third.document };
}

async function fetchEntry(source: Source, reference: Reference, index: Index, platform: Platform): Promise<Fetched> {
  const entry = choosePlatform(index, platform);
  if (!entry) throw noPlatform(source.words.name(reference), platform, platformsOf(index));
  const fetched = await fetchManifest(source, { ...reference, digest: entry.digest });
  if (!fetched) throw source.words.unusable(reference, `its index names the manifest ${entry.digest}, which is not there`);
  return fetched;
}

interface Fetched extends Omit<Found, 'manifest'> {
  readonly document: Manifest | Index;
}

async function fetchManifest(source: Source, reference: Reference): Promise<Fetched | undefined> {
  const answered = await source.content.manifest(reference);
  if (!answered) return undefined;
  const digest = sha256Digest(createHash('sha256').update(answered.bytes).digest('hex'));
  if (reference.digest && digest !== reference.digest)
    throw mismatch(`manifest of ${source.words.name(reference)}`, `its digest is ${digest}`);
  const document = read(source, reference, () => parseManifest(answered.bytes, answered.mediaType));
  return { digest, bytes: answered.bytes, mediaType: mediaTypeOf(answered, document), document };
}

/** What the document says of itself, else what came with it, else what OCI calls it. */
function mediaTypeOf({ bytes, mediaType }: { readonly bytes: Buffer; readonly mediaType?: string }, document: Manifest | Index): string {
  const said: unknown = (JSON.parse(bytes.toString('utf8')) as { readonly mediaType?: unknown }).mediaType;
  if (typeof said === 'string') return said;
  if (mediaType !== undefined && manifestMediaTypes.includes(mediaType)) return mediaType;
  return `application/vnd.oci.image.${document.kind}.v1+json`;
}

async function imageOf(source: Source, reference: Reference, found: Found, platform: Platform): Promise<Image> {
  const { manifest, digest, mediaType, bytes } = found;
  if (manifest.config.size > documentLimit) throw source.words.unusable(reference, 'its config is longer than 4 MiB');
  const what = `config of ${source.words.name(reference)}`;
  const chunks: Buffer[] = [];
  for await (const chunk of verified(source.content.blob(reference, manifest.config, {}), { ...manifest.config, what })) chunks.push(chunk);
  const config = Buffer.concat(chunks);
  const document = read(source, reference, () => parseImageConfig(config));
  if (document.platform && !runsOn(document.platform, platform)) {
    const { os, architecture, variant } = document.platform;
    throw noPlatform(source.words.name(reference), platform, [[os, architecture, ...(variant ? [variant] : [])].join('/')]);
  }
  if (document.diffIds.length !== manifest.layers.length)
    throw source.words.unusable(reference, `it has ${manifest.layers.length} layers and ${document.diffIds.length} diff ids`);
  const layers = manifest.layers.map((layer, index) =>
    layerOf(source, reference, layer, { diffId: document.diffIds[index]!, next: manifest.layers.slice(index + 1, index + 1 + ahead) }),
  );
  const own = { digest, mediaType, bytes };
  return { id: manifest.config.digest, document: config, manifest: own, platform, config: document.config, layers };
}

/** Besides the layer that is read. */
const ahead = 2; // so that three travel, as for dockerd and containerd

interface Place {
  readonly diffId: Digest;
  /** What will be wanted soon. */
  readonly next: readonly Descriptor[];
}

function layerOf(source: Source, reference: Reference, descriptor: Descriptor, { diffId, next }: Place): Layer {
  const { content, words } = source;
  return {
    diffId,
    size: descriptor.size,
    blob: descriptor,
    ...(words === registryWords ? { sources: [`${reference.registry}/${reference.repository}`] } : {}),
    async open(options = {}) {
      if (options.ahead) for (const soon of next) content.ahead?.(reference, soon, options);
      const stream = layerStream(content.blob(reference, descriptor, { ...options, keep: true }), descriptor, diffId);
      // What was kept is the first suspect: the next time, all of it is fetched.
      stream.once('error', (error) => error instanceof UserError && error.code === 'DIGEST_MISMATCH' && content.forget?.(descriptor));
      return stream;
    },
    openBlob: (options = {}) => content.blob(reference, descriptor, options),
    ...(content.forget ? { release: () => content.forget!(descriptor) } : {}),
  };
}

function read<T>(source: Source, reference: Reference, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof DocumentError) throw source.words.unusable(reference, error.message);
    throw error;
  }
}

function notFound(reference: Reference): UserError {
  const name = `${reference.registry}/${reference.repository}`;
  const which = reference.digest ? `digest ${reference.digest}` : `tag ${JSON.stringify(reference.tag)}`;
  return new UserError('IMAGE_NOT_FOUND', `There is no image ${formatReference(reference)}: ${name} has no ${which}.`, {
    hint: 'Check the spelling of the name and the tag. A private image also looks like this to who is not logged in.',
  });
}

function noPlatform(name: string, platform: Platform, known: readonly string[]): UserError {
  return new UserError(
    'PLATFORM_NOT_FOUND',
    `${name} does not exist for ${formatPlatform(platform)}; it exists for ${known.join(', ') || 'no platform'}.`,
    {
      hint: 'Choose another image or tag, or set "platform" to one of these.',
    },
  );
}

/** An answer that is not what the specification says. */
export function answer(reference: Reference, why: string): UserError {
  return new UserError('REGISTRY_ANSWER', `${formatReference(reference)} cannot be used: ${why}.`, {
    hint: 'The registry, or something between here and it, does not follow the OCI specification.',
  });
}
