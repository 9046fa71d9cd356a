import type { Options } from './contract.ts';
import type { Image, Layer } from './oci/image.ts';
import type { ImageTools } from './open-tools.ts';
import { keptImage, type KeptImage } from './store/image-store.ts';
import type { LayerId } from './store/layer-store.ts';

/** What it took to bring an image here. */
export interface Kept {
  readonly image: KeptImage;
  readonly layers: number;
  /** Of them, how many were here already. */
  readonly reused: number;
  /** Bytes that travelled. */
  readonly bytes: number;
}

/** Unpacks an image's layers, each once, and gives it its names; none: it is known by its id. `title` is for people. */
export async function keepImage(
  image: Image,
  { names, digests = [], title }: { readonly names: readonly string[]; readonly digests?: readonly string[]; readonly title: string },
  tools: Pick<ImageTools, 'store' | 'images'>,
  options: Pick<Options, 'report' | 'signal'>,
): Promise<Kept> {
  const { report, signal } = options;
  const task = { type: 'task', id: `image ${title}`, kind: 'image', title } as const;
  const started = performance.now();
  const ids: LayerId[] = [];
  let [bytes, fetched] = [0, 0];
  const onBytes = (count: number): void => {
    bytes += count;
    report({ type: 'transfer', id: task.id, bytes });
  };
  report({ ...task, state: 'started' });
  try {
    for (const layer of image.layers)
      ids.push(
        await tools.store.add(
          noticing(layer, () => fetched++),
          ids.at(-1),
          { signal, onBytes },
        ),
      );
  } catch (error) {
    report({ ...task, state: 'failed', seconds: elapsed(started) });
    throw error;
  }
  const records = (names.length === 0 ? [undefined] : names).map((name) => {
    const known = name === undefined ? undefined : tools.images.all().find((other) => other.name === name && other.id === image.id);
    return { ...keptImage(name, image, ids), digests: [...new Set([...digests, ...(known?.digests ?? [])])] };
  });
  for (const record of records) tools.images.set(record);
  report({ ...task, state: fetched === 0 ? 'cached' : 'done', seconds: elapsed(started) });
  return { image: records[0]!, layers: ids.length, reused: ids.length - fetched, bytes };
}

function noticing(layer: Layer, onOpen: () => void): Layer {
  return {
    ...layer,
    open(options) {
      onOpen();
      return layer.open(options);
    },
  };
}

function elapsed(since: number): number {
  return (performance.now() - since) / 1000;
}
