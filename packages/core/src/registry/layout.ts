import { badArchive } from '../oci/bad-archive.ts';
import { DocumentError, documentLimit, arrayOf, objectOf, parseDocument, descriptorOf, type JsonObject } from '../oci/document.ts';
import type { Digest } from '../oci/digest.ts';
import { chooseImage, merged, type NamedImage, type Wanted } from './choose-image.ts';
import type { Content } from './content-registry.ts';
import { readSmall, type LocalFiles } from './local-files.ts';

/** What an OCI image layout holds (image-spec, image-layout.md), in a directory or an archive. Every name means the image that is wanted. */
export async function layoutContent(files: LocalFiles, wanted: Wanted): Promise<Content> {
  const chosen = chooseImage(await layoutImages(files), wanted);
  return {
    async manifest({ digest }) {
      const single = chosen.length === 1 ? chosen[0]!.digest : undefined;
      const asked = digest ?? single;
      if (asked !== undefined) {
        const bytes = await readSmall(files, blobName(asked), documentLimit);
        return bytes && { bytes };
      }
      const manifests = chosen.map(({ entry }) => entry);
      const mediaType = 'application/vnd.oci.image.index.v1+json';
      return { bytes: Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests })), mediaType };
    },
    blob(_reference, { digest }, options) {
      if (files.size(blobName(digest)) === undefined) throw badArchive(`its blob ${digest} is missing`);
      return files.read(blobName(digest), options);
    },
  };
}

export interface LayoutImage extends NamedImage {
  readonly digest: Digest;
  readonly entry: JsonObject;
}

/** Every image that its index names. @throws DocumentError */
export async function layoutImages(files: LocalFiles): Promise<readonly LayoutImage[]> {
  const index = await readSmall(files, 'index.json', documentLimit);
  if (!index) throw new DocumentError('its index.json is missing or too long');
  const layoutFile = await readSmall(files, 'oci-layout', documentLimit);
  if (!layoutFile || parseDocument(layoutFile, 'oci-layout')['imageLayoutVersion'] !== '1.0.0')
    throw new DocumentError('it has no oci-layout file of version 1.0.0');
  return merged(imagesOf(parseDocument(index, 'index.json')));
}

function imagesOf(index: JsonObject): readonly LayoutImage[] {
  return arrayOf(index['manifests'], 'list of manifests').map((value) => {
    const entry = objectOf(value, 'list of manifests');
    const annotations = objectOf(entry['annotations'] ?? {}, 'annotations');
    const [whole, own] = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'].map((key) => annotations[key]).map(nameOf);
    // containerd and Docker keep the whole name apart; the specification's own may be a tag only. Where they disagree, a tool that
    // knows only the latter (umoci) has changed what another one wrote.
    const isStale = whole !== undefined && own !== undefined && !whole.endsWith(`:${own}`) && whole !== own;
    const names = [isStale ? undefined : whole, own].filter((name) => name !== undefined);
    return { digest: descriptorOf(entry, 'list of manifests').digest, entry, names: [...new Set(names)] };
  });
}

function nameOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function blobName(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}
