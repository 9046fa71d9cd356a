import { compareNames } from '../oci/file-name.ts';
import { aspectsOf, type Aspect } from './compare-trees.ts';
import type { FileFact, LayerFacts } from './file-facts.ts';

export interface LayerDifference {
  /** Absolute. */
  readonly path: string;
  /** Whose layer has an entry of this name; `both` with `what` differing. */
  readonly where: 'a' | 'b' | 'both';
  readonly what: readonly (Aspect | 'time' | 'deletion')[];
  readonly a?: FileFact;
  readonly b?: FileFact;
}

/** Every entry in which two change sets differ, by path: also in times and in what they take away. */
export function compareLayers(a: LayerFacts, b: LayerFacts): readonly LayerDifference[] {
  const paths = new Set([...a.files.keys(), ...b.files.keys(), ...a.removed, ...b.removed]);
  return [...paths].toSorted(compareNames).flatMap((inside): LayerDifference[] => {
    const [one, other] = [a.files.get(inside), b.files.get(inside)];
    const path = `/${inside}`;
    if (one && other) {
      const what = [...aspectsOf(one, other), ...(one.seconds === other.seconds ? [] : (['time'] as const))];
      return what.length === 0 ? [] : [{ path, where: 'both', what, a: one, b: other }];
    }
    if (!one && !other) {
      if (a.removed.has(inside) === b.removed.has(inside)) return [];
      return [{ path, where: a.removed.has(inside) ? 'a' : 'b', what: ['deletion'] }];
    }
    return [{ path, where: one ? 'a' : 'b', what: [], ...(one ? { a: one } : {}), ...(other ? { b: other } : {}) }];
  });
}
