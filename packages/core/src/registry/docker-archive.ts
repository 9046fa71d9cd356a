import { createHash } from 'node:crypto';
import { sha256 } from '../base/canonical-json.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import { arrayOf, DocumentError, documentLimit, objectOf } from '../oci/document.ts';
import { parseImageConfig } from '../oci/image-config.ts';
import { chooseImage, merged, type NamedImage, type Wanted } from './choose-image.ts';
import type { Content } from './content-registry.ts';
import { readSmall, type LocalFiles } from './local-files.ts';

/**
 * What `docker save` has written (moby, image/tarexport): manifest.json names a config and layers, by path. It says no digest
 * of them, so a manifest is made that does: the layers are what the config's diff ids say, which is checked as they are read.
 */
export async function dockerArchiveContent(files: LocalFiles, wanted: Wanted): Promise<Content> {
  const chosen = chooseImage(await savedImages(files), wanted);
  if (chosen.length > 1) throw new DocumentError('it holds several images without a name');
  const image = chosen[0]!;
  const config = (await readSmall(files, image.config, documentLimit))!;
  const blobs = new Map<Digest, string>([[image.digest, image.config]]);
  const layers: object[] = [];
  const { diffIds } = parseImageConfig(config);
  if (diffIds.length !== image.layers.length)
    throw new DocumentError(`it has ${image.layers.length} layers and ${diffIds.length} diff ids`);
  for (const [index, path] of image.layers.entries()) {
    const size = files.size(path);
    if (size === undefined) throw new DocumentError(`the layer ${JSON.stringify(path)} is missing`);
    const digest = (await isPlain(files, path)) ? diffIds[index]! : await digestOf(files, path);
    blobs.set(digest, path);
    layers.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size });
  }
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const configMediaType = 'application/vnd.oci.image.config.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configMediaType, digest: image.digest, size: config.length },
    layers,
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const own = sha256Digest(sha256(bytes));
  return {
    manifest: async ({ digest }) => (digest === undefined || digest === own ? { bytes, mediaType } : undefined),
    blob(_reference, { digest }, options) {
      return files.read(blobs.get(digest)!, options);
    },
  };
}

export interface SavedImage extends NamedImage {
  readonly digest: Digest;
  /** Paths in the archive. */
  readonly config: string;
  readonly layers: readonly string[];
}

/** Every image of the archive. @throws DocumentError */
export async function savedImages(files: LocalFiles): Promise<readonly SavedImage[]> {
  const bytes = await readSmall(files, 'manifest.json', documentLimit);
  if (!bytes) throw new DocumentError('it is no image: it has neither an index.json nor a manifest.json of at most 4 MiB');
  let list: unknown;
  try {
    list = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new DocumentError('its manifest.json is no JSON');
  }
  const images: SavedImage[] = [];
  for (const value of arrayOf(list, 'manifest.json')) {
    const entry = objectOf(value, 'manifest.json');
    const config = textOf(entry['Config'], 'Config');
    const document = await readSmall(files, config, documentLimit);
    if (!document) throw new DocumentError(`the config ${JSON.stringify(config)} is missing or too long`);
    images.push({
      names: arrayOf(entry['RepoTags'] ?? [], 'RepoTags').map((name) => textOf(name, 'RepoTags')),
      digest: sha256Digest(sha256(document)),
      config,
      layers: arrayOf(entry['Layers'] ?? [], 'Layers').map((path) => textOf(path, 'Layers')),
    });
  }
  return merged(images);
}

/** A layer is plain unless it begins as gzip or zstd do; then what it is called by is found by reading it. */
async function isPlain(files: LocalFiles, path: string): Promise<boolean> {
  for await (const chunk of files.read(path)) return !/^(?:1f8b|28b52ffd|5.2a4d18)/.test(chunk.toString('hex', 0, 4));
  return true;
}

async function digestOf(files: LocalFiles, path: string): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of files.read(path)) hash.update(chunk);
  return sha256Digest(hash.digest('hex'));
}

function textOf(value: unknown, what: string): string {
  if (typeof value !== 'string' || value === '') throw new DocumentError(`${what} of its manifest.json is no text`);
  return value;
}
