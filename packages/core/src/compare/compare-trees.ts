import { compareNames } from '../oci/file-name.ts';
import type { FileFact } from './file-facts.ts';
import { walk, type TreeNode } from './file-tree.ts';

export interface FileDifference {
  /** Absolute. */
  readonly path: string;
  readonly where: 'a' | 'b' | 'both';
  /** In which ways two entries of one path differ. */
  readonly what: readonly Aspect[];
  readonly a?: FileFact;
  readonly b?: FileFact;
}

export type Aspect = 'type' | 'content' | 'mode' | 'owner' | 'target' | 'device' | 'attributes';

/** Every entry in which two trees differ, by path. What is only in one is told with all that is in it. */
export function* compareTrees(a: TreeNode, b: TreeNode, path = ''): Generator<FileDifference> {
  const names = new Set([...a.children.keys(), ...b.children.keys()]);
  for (const name of [...names].toSorted(compareNames)) {
    const [one, other] = [a.children.get(name), b.children.get(name)];
    const inside = `${path}/${name}`;
    if (!one || !other) {
      yield* onlyIn(one ? 'a' : 'b', (one ?? other)!, inside);
      continue;
    }
    if (one === other) continue;
    const what = aspectsOf(one.fact, other.fact);
    if (what.length > 0) yield { path: inside, where: 'both', what, a: one.fact, b: other.fact };
    yield* compareTrees(one, other, inside);
  }
}

/** In which ways two entries differ; none: not at all. */
export function aspectsOf(a: FileFact, b: FileFact): readonly Aspect[] {
  if (a === b) return [];
  if (a.type !== b.type) return ['type'];
  const aspects: [Aspect, boolean][] = [
    ['content', a.content !== b.content && !hasSameBytes(a, b)],
    ['target', a.target !== b.target],
    ['device', a.device !== b.device],
    ['mode', a.mode !== b.mode],
    ['owner', a.uid !== b.uid || a.gid !== b.gid],
    ['attributes', a.attributes !== b.attributes],
  ];
  return aspects.filter(([, differs]) => differs).map(([aspect]) => aspect);
}

function hasSameBytes({ content: a }: FileFact, { content: b }: FileFact): boolean {
  if (!a || !b) return a === b;
  return a.size === b.size && a.sha256() === b.sha256();
}

function* onlyIn(where: 'a' | 'b', node: TreeNode, path: string): Generator<FileDifference> {
  yield { path, where, what: [], [where]: node.fact };
  for (const [inside, fact] of walk(node)) yield { path: `${path}/${inside}`, where, what: [], [where]: fact };
}
