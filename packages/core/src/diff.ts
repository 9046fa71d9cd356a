import type { Options } from './contract.ts';
import { isMapped } from './base/user-namespace.ts';
import { compareSides, sectionNames, type Comparison, type Section, type SectionName } from './compare/compare-sides.ts';
import type { LayerFacts } from './compare/file-facts.ts';
import { stackLayers } from './compare/file-tree.ts';
import { readArchive } from './compare/read-archive.ts';
import { readDirectory } from './compare/read-directory.ts';
import { openSide, parseOperand, type Side } from './diff-operand.ts';
import type { Digest } from './oci/digest.ts';
import type { Layer } from './oci/image.ts';
import { openImages, shareStore, type ImageTools } from './open-tools.ts';
import type { LayerId } from './store/layer-store.ts';

export type { Difference, Section, SectionName } from './compare/compare-sides.ts';

export interface DiffOptions extends Options {
  /** `env`, `image`, `file`, `lock`, the name of an image, a path; each may say what it is: `image:NAME`. Default `env`. */
  readonly a?: string;
  /** Default `image`. `prod:NAME`: what `a` has besides does not count. */
  readonly b?: string;
  /** Look at these only. */
  readonly only?: readonly SectionName[];
  /** Only these make the two different. */
  readonly failOn?: readonly SectionName[];
}

export interface DiffResult {
  readonly same: boolean;
  /** For people: what was compared. */
  readonly a: string;
  readonly b: string;
  readonly production: boolean;
  readonly sections: readonly Section[];
}

/**
 * What two environments, images or archives differ in. Layers that both stand on are read once or not at all, and those that
 * are not here are read as they stream by: nothing is kept of them.
 * @throws UserError USAGE, NOT_RUNNING, NOT_BUILT, IMAGE_NOT_FOUND, BAD_ARCHIVE and those of a registry
 */
export async function diff(options: DiffOptions): Promise<DiffResult> {
  const [first, second] = [parseOperand(options.a ?? 'env', options), parseOperand(options.b ?? 'image', options)];
  const only = sectionNames.filter((name) => options.only?.includes(name) ?? true);
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const a = await openSide(first, options, tools);
  const b = await openSide(second, options, tools);
  const production = second.kind === 'image' && second.production;
  const needsTrees = only.some((name) => treeSections.has(name));
  const trees = needsTrees ? await readTrees(a, b, tools, options) : undefined;
  const sections = compareSides({ parameters: { a: a.parameters, b: b.parameters }, trees, only, production });
  const counted = sections.filter(({ name }) => options.failOn?.includes(name) ?? true);
  return { same: counted.every(({ same }) => same), a: a.title, b: b.title, production, sections };
}

const treeSections: ReadonlySet<SectionName> = new Set<SectionName>(['libc', 'packages', 'files', 'size']);

/** Undefined: they are the same, layer by layer, and so nothing had to be read. */
async function readTrees(a: Side, b: Side, tools: ImageTools, options: Options): Promise<Comparison['trees']> {
  const changes = { a: await a.changes?.(), b: await b.changes?.() };
  const sources = await identify(a, b, tools);
  const keys = (layers: readonly LayerSource[]): string => layers.map(({ key }) => key).join(' ');
  const isSame = keys(sources.a) === keys(sources.b) && isNothing(changes.a) && isNothing(changes.b);
  const wanted = [...sources.a, ...sources.b].filter(({ claimed }) => !isSame || claimed);
  if (wanted.length === 0) return undefined;
  const task = { type: 'task', id: 'diff', kind: 'image', title: `compare ${a.title} and ${b.title}` } as const;
  const started = performance.now();
  options.report({ ...task, state: 'started' });
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    let bytes = 0;
    const onBytes = (count: number): void => options.report({ type: 'transfer', id: task.id, bytes: (bytes += count) });
    const read = new Map<string, LayerFacts>();
    for (const source of wanted)
      if (source.claimed || !read.has(source.key)) read.set(source.key, await source.read(onBytes, options.signal));
    const stack = (layers: readonly LayerSource[], changed: LayerFacts | undefined): ReturnType<typeof stackLayers> =>
      stackLayers([...layers.map(({ key }) => read.get(key)!), ...(changed ? [changed] : [])]);
    const trees = isSame ? undefined : { a: stack(sources.a, changes.a), b: stack(sources.b, changes.b) };
    options.report({ ...task, state: 'done', seconds: seconds() });
    return trees;
  } catch (error) {
    options.report({ ...task, state: 'failed', seconds: seconds() });
    throw error;
  }
}

function isNothing(changes: LayerFacts | undefined): boolean {
  return !changes || changes.files.size + changes.removed.size === 0;
}

/** A layer that may be read; the same key is the same layer. */
interface LayerSource {
  readonly key: string;
  /** What it is was only said, by a file that anybody may have written: it is read whatever else is known. */
  readonly claimed: boolean;
  read(onBytes: (count: number) => void, signal: AbortSignal): Promise<LayerFacts>;
}

/** Layers of images that are here under whatever name are read here. */
async function identify(a: Side, b: Side, tools: ImageTools): Promise<Record<'a' | 'b', readonly LayerSource[]>> {
  const own = [...a.layers, ...b.layers].filter((layer) => typeof layer === 'string');
  const isForeign = own.length < a.layers.length + b.layers.length;
  const here = new Map<Digest, LayerId>();
  for (const { layers } of isForeign ? tools.images.all() : [])
    for (const { diffId, layer } of layers) if (await tools.store.info(layer)) here.set(diffId, layer);
  // What a step made has no name elsewhere until somebody asks for it.
  if (isForeign) for (const id of own) here.set((await tools.store.info(id))?.diffId ?? (await tools.store.open(id)).diffId, id);
  const sourcesOf = ({ layers, claimed = false }: Side): readonly LayerSource[] =>
    layers.map((layer) => {
      const id = typeof layer === 'string' ? layer : here.get(layer.diffId);
      if (id !== undefined && !claimed) return storedSource(id, tools);
      return { key: id ?? (layer as Layer).diffId, claimed, read: streaming(layer as Layer) };
    });
  return { a: sourcesOf(a), b: sourcesOf(b) };
}

function streaming(layer: Layer): LayerSource['read'] {
  return async (onBytes, signal) => {
    const facts = await readArchive(await layer.open({ onBytes, signal }), signal);
    layer.release?.();
    return facts;
  };
}

function storedSource(id: LayerId, { store }: ImageTools): LayerSource {
  return {
    key: id,
    claimed: false,
    read: async (_onBytes, signal) => {
      // A normal user's copy lacks devices and other people's ids; the archive that it came as has them.
      if (isMapped() && (await store.info(id))?.chainId !== undefined)
        return readArchive(await (await store.open(id)).open({ signal }), signal);
      return readDirectory((await store.stack(id))[0]!);
    },
  };
}
