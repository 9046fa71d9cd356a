import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { listNames } from './base/files.ts';
import type { StoreVerdict, VerifyOptions } from './contract.ts';
import { UserError } from './base/errors.ts';
import { treeSize } from './base/tree-size.ts';
import { familiarName } from './oci/reference.ts';
import { openImages, openTools, shareStore, type ImageTools, type Tools } from './open-tools.ts';
import { discardLayers, emptyTrash, leftoversOf, moveToTrash } from './store/discard-layers.ts';
import { type KeptImage } from './store/image-store.ts';
import { isLayerId } from './store/kept-records.ts';
import type { LayerId } from './store/layer-store.ts';
import { childrenFirst, readContents, type StoreContents } from './store/store-contents.ts';
import { holdStore } from './store/store-lock.ts';
import { standsOn, verifyLayer, verifyReferences, withChildren, type StoreDamage } from './store/verify-layers.ts';

/** Compares every layer, reference and key of the store with what was written, and drops on request what is not so. */
export async function verifyStore(options: VerifyOptions): Promise<StoreVerdict> {
  const tools = await openTools(options);
  const images = await openImages(options);
  const found = await look(tools, images, options);
  const left = options.repair && found.damages.length > 0 ? await repair(tools, images, found, options) : new Map<StoreDamage, string>();
  const { data } = tools.directories;
  const leftovers = [
    ...leftoversOf(data, new Set(listNames(join(data, 'layers')))),
    ...listNames(join(data, 'trash')).map((name) => join(data, 'trash', name)),
  ];
  const { contents } = found;
  return {
    layers: { count: contents.layers.size, bytes: [...contents.layers.values()].reduce((sum, { info }) => sum + info.bytes, 0) },
    stepRecords: contents.steps.length,
    containers: found.containers,
    images: images.images.all().length,
    damages: found.damages.map((damage) => {
      const reason = left.get(damage);
      return { what: damage.what, text: damage.text, ...(reason === undefined ? {} : { left: reason }) };
    }),
    withoutDigest: found.withoutDigest,
    leftovers: { count: leftovers.length, bytes: treeSize(...leftovers) },
    repaired: options.repair === true && found.damages.length > 0 && left.size === 0,
  };
}

interface Found {
  readonly contents: StoreContents;
  readonly damages: readonly StoreDamage[];
  readonly withoutDigest: number;
  readonly containers: number;
}

/** Others may use the store meanwhile, and add to it; nobody takes anything away. */
async function look(tools: Tools, images: ImageTools, options: VerifyOptions): Promise<Found> {
  using _store = await shareStore(options);
  const { directories } = tools;
  const contents = readContents(directories);
  const damages: StoreDamage[] = [];
  let withoutDigest = 0;
  const task = { type: 'task', id: 'store', kind: 'image', title: 'looking at the store' } as const;
  const started = performance.now();
  options.report({ ...task, state: 'started' });
  for (const id of listNames(join(directories.data, 'layers')).filter(isLayerId)) {
    await turn(undefined, { signal: options.signal });
    const damage = verifyLayer(directories, id, contents) ?? (options.deep ? await verifyContent(id, images) : undefined);
    if (damage) damages.push(damage);
    if (contents.layers.get(id)?.info.diffId === undefined) withoutDigest++;
  }
  damages.push(...verifyReferences(directories, readContents(directories))); // what was added meanwhile is there now
  damages.push(...images.images.all().flatMap((image) => imageDamage(image, contents)));
  const containers = await tools.engine.list({});
  for (const { id, layer } of containers)
    if (layer !== undefined && !contents.layers.has(layer))
      damages.push({
        what: `container ${id}`,
        text: `the layer ${layer} that it stands on is gone: devenv up in its folder makes it anew`,
      });
  options.report({ ...task, state: 'done', seconds: (performance.now() - started) / 1000 });
  return { contents, damages, withoutDigest, containers: containers.length };
}

/** The archive that a layer came as, or would travel as, is written again to nowhere. */
async function verifyContent(id: LayerId, { store }: ImageTools): Promise<StoreDamage | undefined> {
  try {
    const layer = await store.open(id);
    for await (const _chunk of await layer.open({}));
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.code === 'NOT_SUPPORTED' ? undefined : { what: `layer ${id}`, text: error.message, layer: id };
  }
}

function imageDamage(image: KeptImage, { layers }: StoreContents): StoreDamage[] {
  const gone = image.layers.find(({ layer, diffId }) => !layers.has(layer) || (layers.get(layer)!.info.diffId ?? diffId) !== diffId);
  return gone ? [{ what: `image ${nameOf(image)}`, text: `its layer ${gone.layer} is gone: pull it again` }] : [];
}

function nameOf({ name, id }: KeptImage): string {
  return name === undefined ? id.slice('sha256:'.length, 19) : familiarName(name);
}

/** Drops damaged layers with all that stands on them, and what names them. Returns what has to stay for now, and why. */
async function repair(tools: Tools, images: ImageTools, found: Found, options: VerifyOptions): Promise<ReadonlyMap<StoreDamage, string>> {
  const { directories } = tools;
  using _alone = await holdStore(directories, tellUsers(options), options.signal);
  const contents = readContents(directories); // layers do not change, but may be gone or have children now
  const runs = await runningOn(tools);
  const left = new Map<StoreDamage, string>();
  const damaged = new Set<LayerId>();
  for (const damage of found.damages) {
    if (damage.layer === undefined) continue;
    const user = [...runs].find(([layer]) => standsOn(contents.layers, layer).includes(damage.layer!));
    if (user) left.set(damage, `the container ${user[1]} runs on it: devenv stop in its folder, then again`);
    else damaged.add(damage.layer);
  }
  const going = [
    ...withChildren(contents.layers, damaged, childrenFirst(contents.layers)),
    ...[...damaged].filter((id) => !contents.layers.has(id)),
  ];
  discardLayers(directories, contents, going);
  for (const damage of found.damages) {
    if (damage.path !== undefined) moveToTrash(directories.data, damage.path);
    else if (damage.layer === undefined && damage.what.startsWith('container ')) left.set(damage, 'devenv up in its folder');
    else if (damage.layer === undefined && !damage.what.startsWith('image ')) left.set(damage, 'remove it yourself if it is not yours');
  }
  const lost = new Set(going);
  for (const image of images.images.all())
    if (image.layers.some(({ layer }) => lost.has(layer)) || imageDamage(image, readContents(directories)).length > 0)
      images.images.remove(image);
  emptyTrash(directories.data);
  return left;
}

/** Layers that running containers stand on, with a container's id. */
async function runningOn({ engine }: Tools): Promise<ReadonlyMap<LayerId, string>> {
  const found = new Map<LayerId, string>();
  for (const container of await engine.list({}))
    if (container.layer !== undefined && (await container.inspect()).state === 'running') found.set(container.layer, container.id);
  return found;
}

function tellUsers({ report }: VerifyOptions): (holders: readonly number[]) => void {
  return (holders) =>
    report({
      type: 'notice',
      level: 'info',
      message: `Waiting until nobody uses the store${holders.length === 0 ? '' : ` (process ${holders.join(', ')})`}.`,
    });
}
