import { imageDocument, type HistoryEntry } from './oci/image-document.ts';
import { parseImageConfig } from './oci/image-config.ts';
import type { Image, Layer } from './oci/image.ts';
import type { Platform } from './oci/platform.ts';
import { sha256 } from './base/canonical-json.ts';
import { sha256Digest, type Digest } from './oci/digest.ts';
import { keptImage, type KeptImage } from './store/image-store.ts';
import type { LayerId, LayerStore } from './store/layer-store.ts';

export interface Composition {
  /** The topmost layer; undefined: an image without layers. */
  readonly top: LayerId | undefined;
  readonly platform: Platform;
  /** The document of the image that it stands on, when that is known. */
  readonly base?: Buffer | undefined;
  /** In Docker's words. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly HistoryEntry[];
  /** RFC 3339. */
  readonly created: string;
  readonly author?: string | undefined;
}

/** An image of layers that are in the store. Computes the diffIds that are not known yet. */
export async function composeImage(
  composition: Composition,
  store: LayerStore,
): Promise<{ readonly image: Image; readonly layers: readonly LayerId[] }> {
  const ids: LayerId[] = [];
  for (let next = composition.top; next !== undefined; next = (await store.info(next))?.parent) ids.unshift(next);
  const layers: Layer[] = [];
  for (const id of ids) layers.push(await store.open(id));
  const diffIds: readonly Digest[] = layers.map(({ diffId }) => diffId);
  const document = imageDocument({ ...composition, diffIds });
  const { config } = parseImageConfig(document);
  return { image: { id: sha256Digest(sha256(document)), document, platform: composition.platform, config, layers }, layers: ids };
}

/** The record of a composed image. What a base was pulled as is known of its layers, so that a push need not send them. */
export function composedRecord(
  name: string | undefined,
  { image, layers }: Awaited<ReturnType<typeof composeImage>>,
  others: readonly KeptImage[],
): KeptImage {
  const known = new Map(others.flatMap((other) => other.layers.map((layer) => [layer.layer, layer] as const)));
  const record = keptImage(name, image, layers);
  return { ...record, layers: record.layers.map((layer) => known.get(layer.layer) ?? layer), createdAt: new Date().toISOString() };
}
