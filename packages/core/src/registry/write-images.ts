import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { pipeline } from 'node:stream/promises';
import { sha256 } from '../base/canonical-json.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import type { Descriptor } from '../oci/document.ts';
import type { Image, Layer } from '../oci/image.ts';
import { familiarName } from '../oci/reference.ts';
import type { ImageFiles } from './image-files.ts';

/** An image to write, under the complete names that it is to have there. */
export interface NamedOutput {
  readonly image: Image;
  readonly names: readonly string[];
}

export interface WriteOptions {
  readonly signal: AbortSignal;
  /** Hears of the bytes of layers as they are read. */
  readonly onBytes: (count: number) => void;
  /** Folder for what has to be compressed before its length is known. */
  readonly cache: string;
}

/**
 * As `docker save` and skopeo write it: manifest.json names configs and plain layers; a layer of several images is there once.
 * docker load, podman load and skopeo read it.
 */
export async function writeDockerArchive(outputs: readonly NamedOutput[], files: ImageFiles, options: WriteOptions): Promise<void> {
  const manifest: object[] = [];
  for (const { image, names } of outputs) {
    const layers: string[] = [];
    for (const layer of image.layers) {
      const name = `${hexOf(layer.diffId)}.tar`;
      layers.push(name);
      await files.write(name, layer.size!, await contentOf(layer, options));
    }
    const config = `${hexOf(image.id)}.json`;
    await files.write(config, image.document.length, [image.document]);
    manifest.push({ Config: config, RepoTags: names.map(familiarName), Layers: layers });
  }
  const bytes = Buffer.from(JSON.stringify(manifest));
  await files.write('manifest.json', bytes.length, [bytes]);
  await files.end();
}

/**
 * An OCI image layout (image-spec, image-layout.md). Layers are compressed with gzip, which every tool reads, each once. The
 * index comes last: a layout that was cut has none.
 */
export async function writeLayout(outputs: readonly NamedOutput[], files: ImageFiles, options: WriteOptions): Promise<void> {
  const marker = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
  await files.write('oci-layout', marker.length, [marker]);
  const blobs = new Map<Digest, Descriptor>();
  const manifests: object[] = [];
  for (const { image, names } of outputs) {
    for (const layer of image.layers) {
      if (!blobs.has(layer.diffId)) blobs.set(layer.diffId, await writeCompressed(layer, files, options));
    }
    const document = {
      schemaVersion: 2,
      mediaType: manifestType,
      config: { mediaType: configType, digest: image.id, size: image.document.length },
      layers: image.layers.map(({ diffId }) => blobs.get(diffId)!),
    };
    const bytes = Buffer.from(JSON.stringify(document));
    await files.write(blobName(image.id), image.document.length, [image.document]);
    const digest = sha256Digest(sha256(bytes));
    await files.write(blobName(digest), bytes.length, [bytes]);
    const entry = { mediaType: manifestType, digest, size: bytes.length, platform: image.platform };
    if (names.length === 0) manifests.push(entry);
    for (const name of names) manifests.push({ ...entry, annotations: annotationsOf(name) });
  }
  const index = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: indexType, manifests }));
  await files.write('index.json', index.length, [index]);
  await files.end();
}

const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';
const indexType = 'application/vnd.oci.image.index.v1+json';

/** As Docker and containerd keep names: the whole one apart, and the tag where the specification has it. */
function annotationsOf(name: string): Record<string, string> {
  return { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1) };
}

async function writeCompressed(layer: Layer, files: ImageFiles, options: WriteOptions): Promise<Descriptor> {
  mkdirSync(options.cache, { recursive: true, mode: 0o700 });
  const path = join(options.cache, `layer-${randomBytes(6).toString('hex')}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  rmSync(path); // no crash leaves it behind
  try {
    const hash = createHash('sha256');
    let size = 0;
    await pipeline(await contentOf(layer, options), createGzip({ chunkSize: 256 * 1024 }), async (compressed: AsyncIterable<Buffer>) => {
      for await (const chunk of compressed) {
        hash.update(chunk);
        for (let done = 0; done < chunk.length;) done += writeSync(descriptor, chunk, done);
        size += chunk.length;
      }
    });
    const digest = sha256Digest(hash.digest('hex'));
    await files.write(blobName(digest), size, readFrom(descriptor));
    return { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size };
  } finally {
    closeSync(descriptor);
  }
}

function* readFrom(descriptor: number): Generator<Buffer> {
  for (let at = 0; ;) {
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    const count = readSync(descriptor, buffer, 0, buffer.length, at);
    if (count === 0) return;
    yield buffer.subarray(0, count);
    at += count;
  }
}

function contentOf(layer: Layer, { signal, onBytes }: WriteOptions): ReturnType<Layer['open']> {
  signal.throwIfAborted();
  return layer.open({ signal, onBytes });
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${hexOf(digest)}`;
}

function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
