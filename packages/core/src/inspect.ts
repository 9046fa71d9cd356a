import type { Options } from './contract.ts';
import { containers, type KeptContainer } from './containers.ts';
import { Environments } from './container/environment.ts';
import { findImage, shownName } from './images.ts';
import { historyOf, type HistoryEntry } from './oci/image-document.ts';
import { formatPlatform } from './oci/platform.ts';
import { openImages, type ImageTools } from './open-tools.ts';
import type { KeptImage } from './store/image-store.ts';

export interface HistoryLine {
  readonly created?: string;
  readonly createdBy: string;
  readonly comment?: string;
  readonly author?: string;
  /** Bytes of its layer's files, unpacked; 0 when it made none. */
  readonly size: number;
  /** Of its layer. */
  readonly diffId?: string;
}

/** How an image was made, the latest first. @throws UserError IMAGE_NOT_FOUND */
export async function history(options: Options & { readonly name: string }): Promise<readonly HistoryLine[]> {
  const tools = await openImages(options);
  const image = findImage(tools.images, options.name);
  const rest = [...image.layers];
  const lines: HistoryLine[] = [];
  for (const entry of historyOf(Buffer.from(image.document, 'base64'), image.layers.length)) {
    const layer = entry.empty_layer === true ? undefined : rest.shift();
    const size = layer === undefined ? 0 : ((await tools.store.info(layer.layer))?.bytes ?? 0);
    lines.unshift({ ...told(entry), size, ...(layer === undefined ? {} : { diffId: layer.diffId }) });
  }
  return lines;
}

/** Only what is text: the document came from anywhere. */
function told({
  created,
  created_by: createdBy,
  comment,
  author,
}: HistoryEntry): Pick<HistoryLine, 'created' | 'createdBy' | 'comment' | 'author'> {
  const texts = Object.entries({ created, comment, author }).filter(([, text]) => typeof text === 'string' && text !== '');
  return { createdBy: typeof createdBy === 'string' ? createdBy : '', ...Object.fromEntries(texts) };
}

/** All that is known of an image, a kept container or an environment; the first that has the name. */
export async function inspect(options: Options & { readonly names: readonly string[] }): Promise<readonly object[]> {
  const tools = await openImages(options);
  const running = await containers({ ...options, all: true });
  const environments = new Environments(tools.directories);
  return Promise.all(
    options.names.map(async (name) => {
      const container = running.find((candidate) => candidate.name === name);
      if (container) return describeContainer(container);
      const environment = environments.list().find((record) => record.environmentId === name || record.name === name);
      const record = environment && environments.read(environment.environmentId);
      if (record) return { type: 'environment', ...record };
      return describeImage(findImage(tools.images, name), tools);
    }),
  );
}

function describeContainer(container: KeptContainer): object {
  return { type: 'container', ...container };
}

async function describeImage(image: KeptImage, tools: ImageTools): Promise<object> {
  const document: unknown = JSON.parse(Buffer.from(image.document, 'base64').toString('utf8'));
  const layers = await Promise.all(
    image.layers.map(async ({ layer, diffId, blobs }) => ({ diffId, size: (await tools.store.info(layer))?.bytes ?? 0, blobs })),
  );
  const names = tools.images.all().filter(({ id }) => id === image.id);
  return {
    type: 'image',
    id: image.id,
    names: names.flatMap((other) => shownName(other) ?? []),
    digests: [...new Set(names.flatMap(({ digests }) => digests))],
    platform: formatPlatform(image.platform),
    createdAt: image.createdAt,
    size: layers.reduce((sum, { size }) => sum + size, 0),
    layers,
    // As it is in the image: environment, command, history …
    document,
  };
}
