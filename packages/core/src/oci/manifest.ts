import { arrayOf, descriptorOf, DocumentError, objectOf, parseDocument, shown, type Descriptor, type JsonObject } from './document.ts';

/** Media types of what `parseManifest` reads, for an Accept header. */
export const manifestMediaTypes: readonly string[] = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
];

/** One image for one platform (image-spec, manifest.md; Docker schema 2). Layers lowest first. */
export interface Manifest {
  readonly kind: 'manifest';
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** The same image for several platforms (image-spec, image-index.md; Docker manifest list). */
export interface Index {
  readonly kind: 'index';
  readonly manifests: readonly IndexEntry[];
}

export interface IndexEntry extends Descriptor {
  /** Undefined when the entry says none. */
  readonly platform: { readonly os: string; readonly architecture: string; readonly variant?: string } | undefined;
}

/**
 * `mediaType` is what came with the document, when something did; the document itself may say it, too.
 * @throws DocumentError for other documents, Docker schema 1, and one that could be read both ways (CVE-2021-41190)
 */
export function parseManifest(bytes: Buffer, mediaType?: string): Manifest | Index {
  const document = parseDocument(bytes, 'manifest');
  if (document['schemaVersion'] === 1)
    throw new DocumentError('its manifest has the old form "Docker schema 1", which cannot be verified; push it again with a current tool');
  if (document['schemaVersion'] !== 2) throw new DocumentError('its manifest has an unknown version');
  const said = typeof document['mediaType'] === 'string' ? document['mediaType'] : undefined;
  const type = said ?? (mediaType !== undefined && manifestMediaTypes.includes(mediaType) ? mediaType : undefined);
  const isIndex = type === undefined ? 'manifests' in document : /index|list/.test(type);
  if (type !== undefined && !manifestMediaTypes.includes(type))
    throw new DocumentError(`its manifest has the media type ${shown(type)}, which is no image`);
  if (isIndex ? 'config' in document || 'layers' in document : 'manifests' in document)
    throw new DocumentError('its manifest can be read in two ways');
  return isIndex ? indexOf(document) : manifestOf(document);
}

function manifestOf(document: JsonObject): Manifest {
  const layers = arrayOf(document['layers'], 'list of layers').map((layer, index) => descriptorOf(layer, `layer ${index + 1}`));
  const other = layers.find((layer) => !layerMediaType.test(layer.mediaType));
  if (other) throw new DocumentError(`it is no container image: it holds ${shown(other.mediaType)}`);
  return { kind: 'manifest', config: descriptorOf(document['config'], 'config'), layers };
}

/** OCI and Docker, plain or compressed, distributable or not. How it is compressed its first bytes say. */
const layerMediaType =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

function indexOf(document: JsonObject): Index {
  const manifests = arrayOf(document['manifests'], 'list of manifests').map((value): IndexEntry => {
    const entry = objectOf(value, 'list of manifests');
    return { ...descriptorOf(entry, 'list of manifests'), platform: platformOf(entry['platform']) };
  });
  return { kind: 'index', manifests };
}

function platformOf(value: unknown): IndexEntry['platform'] {
  if (value === undefined || value === null) return undefined;
  const { os, architecture, variant } = objectOf(value, 'platform');
  if (typeof os !== 'string' || typeof architecture !== 'string') throw new DocumentError('one of its platforms is incomplete');
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}
