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
  const same = tools.images.all().filter(({ id }) => id === image.id);
  const merged = (known: KeptImage | undefined): readonly string[] => [...new Set([...digests, ...(known?.digests ?? [])])];
  const withoutName = same.some(({ name }) => name !== undefined) ? [] : [undefined]; // names that it has serve
  const wanted = names.length === 0 ? withoutName : names;
  const records =
    wanted.length === 0
      ? same.map((known) => ({ ...known, digests: merged(known) }))
      : wanted.map((name) => ({ ...keptImage(name, image, ids), digests: merged(same.find((known) => known.name === name)) }));
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
