import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { listNames } from './base/files.ts';
import type { StoreVerdict, VerifyOptions } from './contract.ts';
import { UserError } from './base/errors.ts';
import { treeSize } from './base/tree-size.ts';
import type { Container } from './engine/engine.ts';
import { familiarName } from './oci/reference.ts';
import { openImages, openTools, shareStore, type ImageTools, type Tools } from './open-tools.ts';
import { containerRole } from './run-image.ts';
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
  const { left, lostImages } =
    options.repair && found.damages.length > 0
      ? await repair(tools, images, found, options)
      : {
          left: new Map<StoreDamage, string>(),
          lostImages: imagesOn(standingOn(found.contents, damagedLayers(found)), images).map(nameOf),
        };
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
    lostImages,
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
  const ids = listNames(join(directories.data, 'layers')).filter(isLayerId); // before what is known of them: more may come
  const contents = readContents(directories);
  const damages: StoreDamage[] = [];
  let withoutDigest = 0;
  const task = { type: 'task', id: 'store', kind: 'image', title: 'looking at the store' } as const;
  const started = performance.now();
  options.report({ ...task, state: 'started' });
  for (const id of ids) {
    await turn(undefined, { signal: options.signal });
    const damage = verifyLayer(directories, id, contents) ?? (options.deep ? await verifyContent(id, images) : undefined);
    if (damage) damages.push(damage);
    if (contents.layers.get(id)?.info.diffId === undefined) withoutDigest++;
  }
  damages.push(...verifyReferences(directories, readContents(directories))); // what was added meanwhile is there now
  damages.push(...images.images.all().flatMap((image) => imageDamage(image, contents)));
  const containers = await tools.engine.list({});
  for (const { id, layer, labels } of containers)
    if (layer !== undefined && !contents.layers.has(layer))
      damages.push({
        what: `container ${id}`,
        text: `the layer ${layer} that it stands on is gone: ${isKept(labels) ? `devenv rm -f ${id}` : `devenv up in ${labels['devenv.workspace'] ?? 'its folder'} makes it anew`}`,
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
  return gone ? [{ what: `image ${nameOf(image)}`, text: `its layer ${gone.layer} is gone: pull, load or import it again` }] : [];
}

function nameOf({ name, id }: KeptImage): string {
  return name === undefined ? id.slice('sha256:'.length, 19) : familiarName(name);
}

interface Repair {
  /** What has to stay for now, and why. */
  readonly left: ReadonlyMap<StoreDamage, string>;
  readonly lostImages: readonly string[];
}

/** Drops damaged layers with all that stands on them, and what names them. */
async function repair(tools: Tools, images: ImageTools, found: Found, options: VerifyOptions): Promise<Repair> {
  const { directories } = tools;
  using _alone = await holdStore(directories, tellUsers(options), options.signal);
  const contents = readContents(directories); // layers do not change, but may be gone or have children now
  const runs = await runningOn(tools);
  const left = new Map<StoreDamage, string>();
  const damaged = damagedLayers(found);
  for (const damage of found.damages) {
    const user = damage.layer && [...runs].find(([layer]) => standsOn(contents.layers, layer).includes(damage.layer!))?.[1];
    if (!user) continue;
    left.set(damage, `the container ${user.id} runs on it: ${stopping(user)}, then again`);
    damaged.delete(damage.layer);
  }
  const going = standingOn(contents, damaged);
  discardLayers(directories, contents, going);
  for (const damage of found.damages) {
    if (damage.path !== undefined) moveToTrash(directories.data, damage.path);
    else if (damage.layer === undefined && damage.what.startsWith('container '))
      left.set(damage, 'only you can say that what was changed in it may go');
    else if (damage.layer === undefined && !damage.what.startsWith('image ')) left.set(damage, 'remove it yourself if it is not yours');
  }
  const lost = imagesOn(going, images).concat(
    images.images.all().filter((image) => imageDamage(image, readContents(directories)).length > 0),
  );
  for (const image of lost) images.images.remove(image);
  emptyTrash(directories.data);
  return { left, lostImages: [...new Set(lost.map(nameOf))] };
}

function damagedLayers({ damages }: Found): Set<LayerId> {
  return new Set(damages.flatMap(({ layer }) => layer ?? []));
}

/** These layers, here or not, and all that stand on them. */
function standingOn(contents: StoreContents, damaged: ReadonlySet<LayerId>): readonly LayerId[] {
  return [
    ...withChildren(contents.layers, damaged, childrenFirst(contents.layers)),
    ...[...damaged].filter((id) => !contents.layers.has(id)),
  ];
}

function imagesOn(layers: readonly LayerId[], { images }: ImageTools): KeptImage[] {
  const lost = new Set(layers);
  return images.all().filter((image) => image.layers.some(({ layer }) => lost.has(layer)));
}

function stopping({ id, labels }: Container): string {
  return isKept(labels) ? `devenv stop ${id}` : `devenv stop in ${labels['devenv.workspace'] ?? 'its folder'}`;
}

/** Whether `run` left it: it belongs to no folder. */
function isKept(labels: Container['labels']): boolean {
  return labels['devenv.role'] === containerRole;
}

/** Layers that running containers stand on, with one of these. */
async function runningOn({ engine }: Tools): Promise<ReadonlyMap<LayerId, Container>> {
  const found = new Map<LayerId, Container>();
  for (const container of await engine.list({}))
    if (container.layer !== undefined && (await container.inspect()).state === 'running') found.set(container.layer, container);
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
