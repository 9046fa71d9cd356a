import type { LayerId } from './layer-store.ts';
import { childrenFirst, withParents, type StoreContents } from './store-contents.ts';

/** What is to stay although nothing needs it. Neither: nothing. */
export interface GarbagePolicy {
  /** Stop when the layers have no more bytes than this. */
  readonly maximumBytes?: number;
  /** Leave what was used since, in milliseconds since 1970. */
  readonly unusedSince?: number;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * The layers to remove, children before their parents, so that a stop after any of them leaves a whole store. Never a
 * needed one or one below it. With a budget, what is cheapest to have again for the space it takes goes first.
 */
export function chooseGarbage(contents: StoreContents, needed: Iterable<LayerId>, policy: GarbagePolicy): readonly LayerId[] {
  const { layers } = contents;
  const kept = withParents(layers, needed);
  const usedAt = lastUses(contents);
  const isOld = (id: LayerId): boolean => policy.unusedSince === undefined || usedAt.get(id)! < policy.unusedSince;
  const costs = rebuildSeconds(contents);
  const children = new Map<LayerId, number>();
  for (const { info } of layers.values()) if (info.parent !== undefined) children.set(info.parent, (children.get(info.parent) ?? 0) + 1);

  const value = (id: LayerId): number => worth(costs.get(id)!, layers.get(id)!.info.bytes, policy.now - usedAt.get(id)!);
  const isFree = (id: LayerId): boolean => !kept.has(id) && isOld(id) && !children.get(id);
  let bytes = [...layers.values()].reduce((sum, { info }) => sum + info.bytes, 0);
  const chosen: LayerId[] = [];
  const leaves = [...layers.keys()].filter(isFree);
  while (leaves.length > 0 && (policy.maximumBytes === undefined || bytes > policy.maximumBytes)) {
    let least = 0;
    for (let index = 1; index < leaves.length; index++) if (value(leaves[index]!) < value(leaves[least]!)) least = index;
    const [id] = leaves.splice(least, 1) as [LayerId];
    chosen.push(id);
    const { info } = layers.get(id)!;
    bytes -= info.bytes;
    if (info.parent === undefined || !layers.has(info.parent)) continue;
    children.set(info.parent, children.get(info.parent)! - 1);
    if (isFree(info.parent)) leaves.push(info.parent);
  }
  return chosen;
}

/** Seconds that a megabyte saves, halved for each week in which nobody wanted them. */
function worth(seconds: number, bytes: number, unusedMilliseconds: number): number {
  const halfLife = 7 * 86_400_000;
  return (seconds / (Math.max(bytes, 4096) / 1e6)) * 2 ** (-Math.max(0, unusedMilliseconds) / halfLife);
}

/** A layer was of use whenever one that stands on it was. */
function lastUses({ layers, steps }: StoreContents): ReadonlyMap<LayerId, number> {
  const uses = new Map<LayerId, number>();
  const use = (id: LayerId | undefined, at: number): void => {
    if (id !== undefined && layers.has(id)) uses.set(id, Math.max(uses.get(id) ?? 0, at));
  };
  for (const { record, usedAt } of steps) use(record.layer, usedAt);
  for (const id of childrenFirst(layers)) {
    const { info, madeAt } = layers.get(id)!;
    if (!uses.has(id)) use(id, madeAt); // no step's own
    use(info.parent, uses.get(id)!);
  }
  return uses;
}

/** A step's seconds made its layer and those below it that no step made: the layers of a pulled image, by their size. */
function rebuildSeconds({ layers, steps }: StoreContents): ReadonlyMap<LayerId, number> {
  const own = new Map<LayerId, number>();
  for (const { record } of steps) own.set(record.layer, Math.max(own.get(record.layer) ?? 0, record.seconds));
  const result = new Map<LayerId, number>([...layers.keys()].map((id) => [id, 0]));
  for (const [id, seconds] of own) {
    const made = [...withParents(layers, [id])];
    const end = made.findIndex((layer, index) => index > 0 && own.has(layer));
    const share = end === -1 ? made : made.slice(0, end);
    const bytes = share.reduce((sum, layer) => sum + layers.get(layer)!.info.bytes, 0);
    for (const layer of share) {
      const part = bytes === 0 ? 1 / share.length : layers.get(layer)!.info.bytes / bytes;
      result.set(layer, Math.max(result.get(layer)!, seconds * part));
    }
  }
  return result;
}
