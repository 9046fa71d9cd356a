import { compareNames } from '../oci/file-name.ts';
import type { FileFact, LayerFacts } from './file-facts.ts';

/** An entry and what is in it. */
export interface TreeNode {
  readonly fact: FileFact;
  readonly children: ReadonlyMap<string, TreeNode>;
}

interface Growing extends TreeNode {
  fact: FileFact;
  readonly children: Map<string, Growing>;
}

/** What layers show, the lowest first (image-spec, layer.md). */
export function stackLayers(layers: readonly LayerFacts[]): TreeNode {
  const root = growing(impliedDirectory);
  for (const layer of layers) {
    for (const path of layer.opaque) find(root, path)?.children.clear();
    for (const path of layer.removed) {
      const { parent, name } = split(path);
      find(root, parent)?.children.delete(name);
    }
    for (const [path, fact] of layer.files) put(root, path, fact);
  }
  return root;
}

/** The entry at a path, links followed as in the tree itself. */
export function lookUp(root: TreeNode, path: string): TreeNode | undefined {
  let links = 0;
  const rest = partsOf(path);
  const walked: TreeNode[] = [root];
  while (rest.length > 0) {
    const part = rest.shift()!;
    if (part === '..') {
      if (walked.length > 1) walked.pop();
      continue;
    }
    const next = walked.at(-1)!.children.get(part);
    if (!next) return undefined;
    if (next.fact.type !== 'symlink') {
      walked.push(next);
      continue;
    }
    if (++links > 40) return undefined; // ELOOP, path_resolution(7)
    const target = next.fact.target!;
    if (target.startsWith('/')) walked.length = 1;
    rest.unshift(...partsOf(target));
  }
  return walked.at(-1);
}

/** Everything in it, by name in byte order. */
export function* walk(node: TreeNode, path = ''): Generator<readonly [path: string, fact: FileFact]> {
  for (const name of [...node.children.keys()].toSorted(compareNames)) {
    const child = node.children.get(name)!;
    const inside = path === '' ? name : `${path}/${name}`;
    yield [inside, child.fact];
    yield* walk(child, inside);
  }
}

/** Bytes of its files, each counted once whatever names it has. */
export function sizeOf(root: TreeNode): number {
  let size = 0;
  for (const [, fact] of walk(root)) if (fact.content && !fact.again) size += fact.content.size;
  return size;
}

/** A directory that no archive mentions. */
const impliedDirectory: FileFact = { type: 'directory', mode: 0o755, uid: 0, gid: 0, seconds: 0, attributes: '' };

function growing(fact: FileFact): Growing {
  return { fact, children: new Map() };
}

function put(root: Growing, path: string, fact: FileFact): void {
  let node = root;
  const parts = partsOf(path);
  const name = parts.pop();
  if (name === undefined) return;
  for (const part of parts) {
    let next = node.children.get(part);
    if (next?.fact.type !== 'directory') node.children.set(part, (next = growing(impliedDirectory)));
    node = next;
  }
  const here = node.children.get(name);
  if (here?.fact.type === 'directory' && fact.type === 'directory') here.fact = fact;
  else node.children.set(name, growing(fact));
}

function find(root: Growing, path: string): Growing | undefined {
  let node: Growing | undefined = root;
  for (const part of partsOf(path)) node = node?.children.get(part);
  return node;
}

function split(path: string): { readonly parent: string; readonly name: string } {
  const slash = path.lastIndexOf('/');
  return { parent: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) };
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}
