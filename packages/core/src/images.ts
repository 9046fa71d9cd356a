import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { Environments } from './container/environment.ts';
import { formatPlatform } from './oci/platform.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { openImages, openTools, shareStore, type ImageTools } from './open-tools.ts';
import { removeEach } from './remove-each.ts';
import type { ImageStore, KeptImage } from './store/image-store.ts';
import type { LayerId } from './store/layer-store.ts';

/** One name of an image on this machine. */
export interface ImageSummary {
  /** As people write it; undefined: it has none. */
  readonly name: string | undefined;
  readonly id: string;
  readonly digests: readonly string[];
  readonly platform: string;
  readonly createdAt: string;
  /** Bytes of its files, unpacked. */
  readonly size: number;
  /** Of these, bytes of layers that another image stands on, too. */
  readonly sharedSize: number;
}

/** Newest first. `filter`: a name or a part of one with `*`, with or without a tag. */
export async function images(options: Options & { readonly filter?: string }): Promise<readonly ImageSummary[]> {
  const tools = await openImages(options);
  const all = tools.images.all();
  const users = new Map<LayerId, Set<string>>();
  for (const { id, layers } of all) for (const { layer } of layers) users.set(layer, (users.get(layer) ?? new Set()).add(id));
  const summaries: ImageSummary[] = [];
  for (const image of all.filter(({ name }) => isWanted(name, options.filter))) {
    let [size, sharedSize] = [0, 0];
    for (const { layer } of image.layers) {
      const bytes = (await tools.store.info(layer))?.bytes ?? 0;
      size += bytes;
      if (users.get(layer)!.size > 1) sharedSize += bytes;
    }
    const { id, digests, createdAt } = image;
    summaries.push({ name: shownName(image), id, digests, platform: formatPlatform(image.platform), createdAt, size, sharedSize });
  }
  return summaries;
}

/** Afterwards `name` means what `source` means now. */
export async function tag(options: Options & { readonly source: string; readonly name: string }): Promise<{ name: string; id: string }> {
  const reference = parseReference(options.name);
  if (reference.digest !== undefined)
    throw new UserError('BAD_VALUE', 'A name that is given cannot hold a digest.', { hint: 'Write name:tag.' });
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const source = findImage(tools.images, options.source);
  const name = formatReference(reference);
  tools.images.set({ ...source, name });
  return { name: familiarName(name), id: source.id };
}

export interface RemovedImage {
  readonly name: string;
  readonly id: string;
  /** No other name means it: its layers are nobody's any more. */
  readonly last: boolean;
}

/**
 * Takes names away, all that can be; by an id all of them. Layers stay until they are collected.
 * @throws UserError IMAGE_NOT_FOUND, IMAGE_IN_USE when a container stands on it and no other name is left, unless `force`
 */
export async function removeImages(
  options: Options & { readonly names: readonly string[]; readonly force?: boolean },
): Promise<readonly RemovedImage[]> {
  using _store = await shareStore(options);
  const tools = await openImages(options);
  return removeEach(options.names, async (text) => {
    const image = findImage(tools.images, text);
    const same = tools.images.all().filter(({ id }) => id === image.id);
    const byId = image.name === undefined || !isNameOf(image, text);
    const going = byId ? same : [image];
    const known = same.flatMap((one) => shownName(one) ?? []);
    if (byId && known.length > 1 && !options.force)
      throw new UserError('IMAGE_IN_USE', `The image ${text} has several names: ${known.join(', ')}.`, {
        hint: 'Remove the names one by one, or all at once with --force.',
      });
    const last = going.length === same.length;
    if (last && !options.force) await refuseUsed(image, tools, options);
    for (const one of going) tools.images.remove(one);
    return going.map((one) => ({ name: shownName(one) ?? one.id, id: one.id, last }));
  });
}

/** @throws UserError IMAGE_NOT_FOUND, with what is like it */
export function findImage(store: ImageStore, text: string): KeptImage {
  const image = store.find(text);
  if (image) return image;
  const known = store.all().flatMap((other) => (other.name === undefined ? [] : [familiarName(other.name)]));
  throw new UserError('IMAGE_NOT_FOUND', `There is no image ${text} on this machine.`, {
    hint:
      known.length === 0 ? `Fetch it: devenv pull ${text}` : `Here are ${known.slice(0, 10).join(', ')}; or fetch it: devenv pull ${text}`,
  });
}

/** As people write it. */
export function shownName({ name }: Pick<KeptImage, 'name'>): string | undefined {
  return name === undefined ? undefined : familiarName(name);
}

function isNameOf(image: KeptImage, text: string): boolean {
  try {
    const reference = parseReference(text);
    return reference.digest !== undefined || formatReference(reference) === image.name;
  } catch {
    return false;
  }
}

function isWanted(name: string | undefined, filter: string | undefined): boolean {
  if (filter === undefined) return true;
  if (name === undefined) return false;
  const pattern = new RegExp(`^${filter.replaceAll(/[^*]+/g, (text) => text.replaceAll(/[^\w]/g, '\\$&')).replaceAll('*', '.*')}$`);
  const familiar = familiarName(name);
  return [name, familiar, familiar.slice(0, familiar.lastIndexOf(':'))].some((form) => pattern.test(form));
}

async function refuseUsed(image: KeptImage, tools: ImageTools, options: Options): Promise<void> {
  const top = image.layers.at(-1)?.layer;
  if (top === undefined) return;
  const { engine } = await openTools(options);
  const environments = new Map(new Environments(tools.directories).list().map((record) => [record.spec.id, record.folder]));
  for (const container of await engine.list({})) {
    // One that run made says which image it is of: another one may have the same layers.
    const own = container.labels['devenv.image-id'];
    if (own === undefined ? !(await standsOn(container.layer, top, tools)) : own !== image.id) continue;
    const folder = environments.get(container.id);
    throw new UserError(
      'IMAGE_IN_USE',
      `The image ${shownName(image) ?? image.id} is in use by ${folder === undefined ? `the container ${container.id}` : `the environment of ${folder}`}.`,
      { hint: 'Remove that first, or take the name away with --force: what runs on it goes on.' },
    );
  }
}

async function standsOn(layer: LayerId | undefined, wanted: LayerId, tools: ImageTools): Promise<boolean> {
  for (let next = layer; next !== undefined; next = (await tools.store.info(next))?.parent) if (next === wanted) return true;
  return false;
}
