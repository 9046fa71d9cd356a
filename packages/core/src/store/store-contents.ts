import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../base/directories.ts';
import { listNames, readJson } from '../base/files.ts';
import { hasStrings, isObject } from '../base/shape.ts';
import { isLayerId, isLayerInfo, isStepRecord } from './kept-records.ts';
import type { LayerId, LayerInfo, StepRecord } from './layer-store.ts';

/** A step's record with when it was last of use, in milliseconds since 1970. */
export interface KeptStep {
  readonly record: StepRecord;
  readonly usedAt: number;
}

/** A layer with when it came, in milliseconds since 1970. */
export interface HeldLayer {
  readonly info: LayerInfo;
  readonly madeAt: number;
}

/** All that a store names, read from its small files: no layer is walked. */
export interface StoreContents {
  /** Layers of which both the directory and the info are here, whether or not those below them are. */
  readonly layers: ReadonlyMap<LayerId, HeldLayer>;
  readonly steps: readonly KeptStep[];
  /** By the file's name, the digits of a chainId. */
  readonly chains: ReadonlyMap<string, LayerId>;
}

/** What is damaged counts as absent. */
export function readContents({ data }: Pick<Directories, 'data'>): StoreContents {
  // Layers last: what is recorded meanwhile has its layer.
  const steps = listNames(join(data, 'step-keys')).flatMap((name) => {
    const path = join(data, 'step-keys', name);
    const record = name.endsWith('.json') ? readJson(path) : undefined;
    return isStepRecord(record) && name === `${record.key}.json` ? [{ record, usedAt: changedAt(path) }] : [];
  });
  const chains = new Map(
    listNames(join(data, 'chains')).flatMap((name) => {
      const layer = chainLayer(readJson(join(data, 'chains', name)));
      return layer === undefined ? [] : [[name, layer] as const];
    }),
  );
  const layers = new Map<LayerId, HeldLayer>();
  for (const id of listNames(join(data, 'layers')).filter(isLayerId)) {
    const path = join(data, 'layer-info', `${id}.json`);
    const info = readJson(path);
    if (isLayerInfo(info, id)) layers.set(id, { info, madeAt: changedAt(path) });
  }
  return { layers, steps, chains };
}

/** The layers with all that they stand on, as far as it is here. */
export function withParents(layers: StoreContents['layers'], ids: Iterable<LayerId>): ReadonlySet<LayerId> {
  const found = new Set<LayerId>();
  for (const id of ids)
    for (let next: LayerId | undefined = id; next !== undefined && !found.has(next) && layers.has(next);) {
      found.add(next);
      next = layers.get(next)!.info.parent;
    }
  return found;
}

/** Every layer before the one that it stands on. */
export function childrenFirst(layers: StoreContents['layers']): readonly LayerId[] {
  const depths = new Map([...layers.keys()].map((id) => [id, withParents(layers, [id]).size] as const));
  return [...layers.keys()].toSorted((a, b) => depths.get(b)! - depths.get(a)!);
}

function chainLayer(value: unknown): LayerId | undefined {
  return isObject(value) && hasStrings(value, 'layer') && isLayerId(value['layer']) ? value['layer'] : undefined;
}

function changedAt(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
