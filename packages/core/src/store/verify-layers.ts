import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../base/directories.ts';
import { isMissing, listNames, readJson } from '../base/files.ts';
import { chainIdOf } from '../oci/chain-id.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import { stepKey } from '../oci/step-key.ts';
import { formatFileList, listFiles, type ListedFile } from './file-list.ts';
import { isLayerId, isStepRecord } from './kept-records.ts';
import type { LayerId } from './layer-store.ts';
import { leftoversOf } from './discard-layers.ts';
import { withParents, type StoreContents } from './store-contents.ts';

/** Something in the store that is not as it was written. */
export interface StoreDamage {
  /** For people: what it is, and what is wrong with it. */
  readonly what: string;
  readonly text: string;
  /** A layer that cannot be stood on: it and all above it have to go. */
  readonly layer?: LayerId;
  /** A file or directory that has to go. Absent with `layer`: nothing but that. */
  readonly path?: string;
}

type Place = Pick<Directories, 'data'>;

/**
 * Looks at one layer: whether its files are the listed ones in type, mode, owner, size, time, link and attributes, and whether
 * what it stands on is here. Contents are not read: any write shows in the time, for no layer has a file newer than its list.
 */
export function verifyLayer({ data }: Place, id: LayerId, { layers }: Pick<StoreContents, 'layers'>): StoreDamage | undefined {
  const damage = (text: string): StoreDamage => ({ what: `layer ${id}`, text, layer: id });
  const held = layers.get(id);
  if (!held) return damage('there is no record of it');
  const { parent, chainId, diffId, entries } = held.info;
  if (parent !== undefined && !layers.has(parent)) return damage(`the layer ${parent} that it stands on is gone`);
  if (standsOnItself(layers, id)) return damage('it stands on itself');
  if (chainId !== undefined && chainId !== expectedChain(layers, parent, diffId)) return damage('its chain id is not that of its layers');
  const listed = readList(join(data, 'layer-info', `${id}.files`));
  if (listed === undefined) return damage('its list of files is gone');
  const found = formatFileList(listFiles(join(data, 'layers', id)));
  if (found === listed) return entries === countLines(listed) ? undefined : damage('its record has another number of files than its list');
  return damage(describeDifference(listed, found));
}

/** Looks at everything that names a layer or has no place here, against the layers that are here. */
export function verifyReferences({ data }: Place, { layers }: Pick<StoreContents, 'layers'>): readonly StoreDamage[] {
  const isWhole = (id: LayerId): boolean => layers.has(id);
  const steps = listNames(join(data, 'step-keys')).flatMap((name): StoreDamage[] => {
    const path = join(data, 'step-keys', name);
    const damage = (text: string): StoreDamage[] => [{ what: `step record ${name}`, text, path }];
    if (name.endsWith('.tmp')) return [];
    const record = readJson(path);
    if (!isStepRecord(record) || name !== `${record.key}.json`) return damage('it cannot be read');
    if (stepKey(record.parts) !== record.key) return damage('its key is not the hash of its parts');
    return isWhole(record.layer) ? [] : damage(`its layer ${record.layer} is gone`);
  });
  const chains = listNames(join(data, 'chains')).flatMap((name): StoreDamage[] => {
    const path = join(data, 'chains', name);
    const damage = (text: string): StoreDamage[] => [{ what: `chain ${name.slice(0, 12)}`, text, path }];
    if (name.endsWith('.tmp')) return [];
    const layer = readJson<{ layer?: unknown } | null>(path)?.layer;
    if (!isLayerId(layer)) return damage('it cannot be read');
    if (!isWhole(layer)) return damage(`its layer ${layer} is gone`);
    return layers.get(layer)!.info.chainId === sha256Digest(name) ? [] : damage(`its layer ${layer} is another chain`);
  });
  return [...steps, ...chains, ...strays(data)];
}

/** What nobody here made. Leftovers of killed commands are none: who collects takes them. */
function strays(data: string): StoreDamage[] {
  const leftovers = new Set(leftoversOf(data, new Set(listNames(join(data, 'layers')))));
  const stray = (folder: string, isOurs: (name: string) => boolean): StoreDamage[] =>
    listNames(join(data, folder)).flatMap((name) => {
      const path = join(data, folder, name);
      return isOurs(name) || leftovers.has(path) || name.endsWith('.tmp')
        ? []
        : [{ what: join(folder, name), text: 'it has no place in the store', path }];
    });
  const layers = stray('layers', isLayerId);
  const infos = stray('layer-info', (name) => /^[0-9a-z]{6}\.(json|files|tar|replaced)$/.test(name));
  // Not to be removed by us: a newer devenv may keep something there.
  const others = stray('', (name) => ownNames.has(name)).map(({ what, text }): StoreDamage => ({ what, text }));
  return [...layers, ...infos, ...others.filter(({ what }) => !what.startsWith('probe-'))];
}

const ownNames: ReadonlySet<string> = new Set(
  'FORMAT layers layer-info drafts chains step-keys containers volumes volume-ids empty images swapped-layers swapped-layer-drafts volume-drafts merged trash state'.split(
    ' ',
  ),
);

function standsOnItself(layers: StoreContents['layers'], id: LayerId): boolean {
  const walked = new Set<LayerId>();
  for (let next: LayerId | undefined = id; next !== undefined; next = layers.get(next)?.info.parent) {
    if (walked.has(next)) return true;
    walked.add(next);
  }
  return false;
}

function expectedChain(layers: StoreContents['layers'], parent: LayerId | undefined, diffId: Digest | undefined): Digest | undefined {
  if (diffId === undefined) return undefined;
  const below = parent === undefined ? undefined : layers.get(parent)?.info.chainId;
  return parent !== undefined && below === undefined ? undefined : chainIdOf(below, diffId);
}

function readList(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function countLines(text: string): number {
  return text === '' ? 0 : text.split('\n').length - 1;
}

/** The first few files that are not as listed, and how many more. */
function describeDifference(listed: string, found: string): string {
  const [before, now] = [byPath(listed), byPath(found)];
  const paths = [...new Set([...before.keys(), ...now.keys()])].filter((path) => before.get(path) !== now.get(path)).toSorted();
  const shown = paths.slice(0, 3).map((path) => `${path} ${howDifferent(before.get(path), now.get(path))}`);
  return [...shown, ...(paths.length > 3 ? [`and ${paths.length - 3} more`] : [])].join('; ') || 'its list of files is not in order';
}

function howDifferent(before: string | undefined, now: string | undefined): string {
  if (now === undefined) return 'is missing';
  if (before === undefined) return 'was added';
  const [listed, found] = [before, now].map((line) => parse(line) as Readonly<Record<string, unknown>> | undefined);
  if (!listed || !found) return 'is listed in an unknown form';
  const names = [...new Set([...Object.keys(listed), ...Object.keys(found)])].filter((name) => !same(listed[name], found[name]));
  return `has another ${names.join(' and ')}`;
}

function byPath(list: string): ReadonlyMap<string, string> {
  return new Map(
    list
      .split('\n')
      .filter(Boolean)
      .map((line) => [(parse(line) as ListedFile | undefined)?.path ?? line, line]),
  );
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The layers and all that stands on them, children before their parents. */
export function withChildren(layers: StoreContents['layers'], ids: ReadonlySet<LayerId>, order: readonly LayerId[]): readonly LayerId[] {
  return order.filter((id) => standsOn(layers, id).some((below) => ids.has(below)));
}

/** The layer and all below it, also what is not here. */
export function standsOn(layers: StoreContents['layers'], id: LayerId): readonly LayerId[] {
  const found = withParents(layers, [id]);
  const lowest = [...found].at(-1);
  const missing = lowest === undefined ? id : layers.get(lowest)!.info.parent;
  return [...found, ...(missing === undefined || found.has(missing) ? [] : [missing])];
}
