import { createHash } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/document.ts';
import type { Layer } from '../oci/image.ts';
import { parseManifest } from '../oci/manifest.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import { bytesSource, compressedSource, copiedSource } from './blob-source.ts';
import { errorText, type Connection } from './connection.ts';
import { fetchBlob } from './fetch-blob.ts';
import type { OutgoingImage, Pushed, PushedLayer, PutOptions, Repository } from './registry.ts';
import { upload } from './upload.ts';

export interface PushOptions extends PutOptions {
  /** A connection to another repository, of this registry or another. */
  readonly from: (repository: Repository) => Connection;
}

const parallel = 3; // as for pulls

/** @see RemoteRegistry.put */
export async function push(connection: Connection, reference: Reference, image: OutgoingImage, options: PushOptions): Promise<Pushed> {
  if (reference.tag === undefined)
    throw new UserError('BAD_VALUE', `${formatReference(reference)} names a digest: a push needs a name with a tag.`);
  connection.want(`repository:${reference.repository}:pull,push`);
  const layers = await pushLayers({ connection, reference, options }, image.layers);
  const blobs = layers.map(({ blob }) => blob);
  const own = configOf(image.document);
  const known = image.manifest && configIn(image.manifest, own.digest, blobs);
  const manifest = known ? image.manifest : manifestOf(own, blobs);
  await pushBlob(connection, bytesSource(image.document, known ?? own), options);
  await pushManifest(connection, reference, manifest, options.signal);
  return { digest: manifest.digest, kept: known !== undefined, layers };
}

interface Push {
  readonly connection: Connection;
  readonly reference: Reference;
  readonly options: PushOptions;
}

/** Some at a time, each once: images may have the same layer more than once. The first that fails ends the others. */
async function pushLayers(work: Push, layers: readonly Layer[]): Promise<readonly PushedLayer[]> {
  const failed = new AbortController();
  const signal = work.options.signal ? AbortSignal.any([work.options.signal, failed.signal]) : failed.signal;
  const own: Push = { ...work, options: { ...work.options, signal } };
  const done = new Map<Digest, PushedLayer>();
  const waiting = [...new Map(layers.map((layer) => [layer.diffId, layer])).values()];
  const worker = async (): Promise<void> => {
    for (let layer = waiting.shift(); layer; layer = waiting.shift()) {
      const pushed = await pushLayer(own, layer);
      done.set(layer.diffId, pushed);
      work.options.onLayer?.(pushed);
    }
  };
  const workers = Array.from({ length: parallel }, () =>
    worker().catch((error: unknown) => {
      failed.abort(error);
      throw error;
    }),
  );
  await Promise.allSettled(workers);
  await Promise.all(workers);
  return layers.map(({ diffId }) => done.get(diffId)!);
}

/** The cheapest way that works: it is there, it is mounted, its blob is passed on, its content is compressed and sent. */
async function pushLayer(work: Push, layer: Layer): Promise<PushedLayer> {
  const { connection, options } = work;
  const { diffId, blob } = layer;
  if (blob) {
    if (await exists(connection, blob, options.signal)) return { diffId, blob, how: 'present' };
    // A foreign layer may not be given away; whoever pulls it gets it where we would.
    if (blob.urls && /foreign|nondistributable/.test(blob.mediaType)) return { diffId, blob, how: 'present' };
    const mounted = await mount(work, layer, blob);
    if (mounted === true) return { diffId, blob, how: 'mounted' };
    for (const open of copies(work, layer, blob)) {
      const copied = await tryUpload(connection, copiedSource(blob, open), options, mounted);
      if (copied) return { diffId, blob: { ...copied, mediaType: blob.mediaType }, how: 'sent' };
    }
  }
  const source = compressedSource(layer, options.compression ?? 'gzip');
  const sent = await upload(connection, source, options);
  return { diffId, blob: sent, how: 'sent' };
}

async function exists(connection: Connection, { digest }: Descriptor, signal: AbortSignal | undefined): Promise<boolean> {
  const response = await connection.request(`blobs/${digest}`, { method: 'HEAD', signal });
  response.discard();
  return response.status === 200;
}

/** True, or the session that the registry opens instead (distribution-spec, Mounting a blob from another repository). */
async function mount({ connection, reference, options }: Push, layer: Layer, { digest }: Descriptor): Promise<true | URL | undefined> {
  const prefix = `${reference.registry}/`;
  const sources = (layer.sources ?? []).filter((source) => source.startsWith(prefix)).map((source) => source.slice(prefix.length));
  let session: URL | undefined;
  for (const source of sources.filter((name) => name !== reference.repository)) {
    connection.want(`repository:${source}:pull`);
    const response = await connection
      .request(`blobs/uploads/?mount=${digest}&from=${encodeURIComponent(source)}`, {
        method: 'POST',
        headers: { 'content-length': '0' },
        signal: options.signal,
      })
      .catch((error: unknown) => {
        if (error instanceof UserError && error.code === 'REGISTRY_DENIED') return undefined; // not ours to read: then it is sent
        throw error;
      });
    response?.discard();
    if (response?.status === 201) return true;
    const location = response?.status === 202 ? response.headers['location'] : undefined;
    if (location !== undefined) session = connection.redirected(location, response!.url);
  }
  return session;
}

/** Where the blob can be had as it is: with the layer, or from where it came. */
function copies({ options }: Push, layer: Layer, blob: Descriptor): ((signal: AbortSignal | undefined) => AsyncIterable<Buffer>)[] {
  if (layer.openBlob) return [(signal) => layer.openBlob!(signal ? { signal } : {})];
  return (layer.sources ?? []).map((source) => {
    const slash = source.indexOf('/');
    const repository = { registry: source.slice(0, slash), repository: source.slice(slash + 1) };
    const place = { ...repository, tag: undefined, digest: blob.digest };
    return (signal) => fetchBlob(place, blob, { sources: [options.from(repository)], kept: undefined, ...(signal ? { signal } : {}) });
  });
}

/** Undefined when the blob cannot be had there any more; what the registry that it is sent to says is no such thing. */
async function tryUpload(
  connection: Connection,
  source: ReturnType<typeof copiedSource>,
  options: PushOptions,
  session: true | URL | undefined,
): Promise<Descriptor | undefined> {
  let lost = false;
  const watched = {
    ...source,
    async *open(signal: AbortSignal | undefined) {
      try {
        yield* source.open(signal);
      } catch (error) {
        lost = !(signal?.aborted ?? false);
        throw error;
      }
    },
  };
  try {
    return await upload(connection, watched, { ...options, ...(session instanceof URL ? { session } : {}) });
  } catch (error) {
    if (lost && error instanceof UserError) return undefined;
    throw error;
  }
}

async function pushBlob(connection: Connection, source: ReturnType<typeof bytesSource>, { signal }: PutOptions): Promise<void> {
  const descriptor = { mediaType: source.mediaType, ...source.known! };
  if (!(await exists(connection, descriptor, signal))) await upload(connection, source, { signal });
}

interface OutgoingManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

async function pushManifest(
  connection: Connection,
  reference: Reference,
  { digest, mediaType, bytes }: OutgoingManifest,
  signal: AbortSignal | undefined,
): Promise<void> {
  const response = await connection.request(`manifests/${reference.tag}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: bytes,
    signal,
  });
  if (response.status !== 201 && response.status !== 200 && response.status !== 202) {
    const said = await errorText(response);
    throw connection.answer(`it answers ${response.status} to the manifest${said ? ` (${said})` : ''}`);
  }
  response.discard();
  const named = response.headers['docker-content-digest'];
  if (named !== undefined && named !== digest) throw connection.answer('it calls the manifest by another digest than its own');
}

/** The config that a manifest names, when it and the layers are just these. */
function configIn({ bytes, mediaType }: OutgoingManifest, config: Digest, blobs: readonly Descriptor[]): Descriptor | undefined {
  const manifest = parseManifest(bytes, mediaType);
  if (manifest.kind !== 'manifest' || manifest.config.digest !== config || manifest.layers.length !== blobs.length) return undefined;
  return manifest.layers.every(({ digest }, index) => digest === blobs[index]!.digest) ? manifest.config : undefined;
}

function configOf(document: Buffer): Descriptor {
  return { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(document), size: document.length };
}

/** As image-spec 1.1 has it, whatever the layers were called where they came from. */
function manifestOf(config: Descriptor, blobs: readonly Descriptor[]): OutgoingManifest {
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const layers = blobs.map((blob) => ({ ...blob, mediaType: ociLayerType(blob.mediaType) }));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
  return { digest: digestOf(bytes), mediaType, bytes };
}

function ociLayerType(mediaType: string): string {
  const docker = /^application\/vnd\.docker\.image\.rootfs\.(foreign\.)?diff\.tar(?:\.(gzip|zstd))?$/.exec(mediaType);
  if (!docker) return mediaType;
  return `application/vnd.oci.image.layer.${docker[1] ? 'nondistributable.' : ''}v1.tar${docker[2] ? `+${docker[2]}` : ''}`;
}

function digestOf(bytes: Buffer): Digest {
  return sha256Digest(createHash('sha256').update(bytes).digest('hex'));
}
