import type { Problems } from './problems.ts';
import type { Key, Member, Node, ObjectNode } from './tree.ts';

/** What makes the team's image: one person's file may not change it silently. */
const onlyShared = ['image', 'platform', 'steps'];

/** Members whose lists are one command: half of one and half of another is none. */
const commands = ['command', 'entrypoint', 'hooks', 'healthcheck'];

/** devenv.local.json over devenv.json: objects merge, lists append, null removes, everything else (commands too) replaces. */
export function mergeLocal(shared: ObjectNode, local: ObjectNode, problems: Problems): ObjectNode {
  const members = new Map(local.members);
  for (const name of onlyShared) {
    const member = members.get(name);
    if (!member) continue;
    problems.add(
      'LOCAL_KEY',
      member.key,
      `"${name}" cannot be set in devenv.local.json.`,
      'it decides what the team shares: set it in devenv.json',
    );
    members.delete(name);
  }
  return mergeObjects(shared, { ...local, members }, (name) => !commands.includes(name));
}

function mergeObjects(under: ObjectNode, over: ObjectNode, appends: (name: string) => boolean): ObjectNode {
  const members = new Map<string, Member>(under.members);
  const removed: Key[] = [];
  for (const [name, { key, value }] of over.members) {
    if (value.kind === 'null') {
      members.delete(name);
      removed.push(key);
    } else {
      const before = members.get(name);
      members.set(
        name,
        before ? { key: before.key, value: mergeValues(before.value, value, appends(name)) } : { key, value: withoutNulls(value) },
      );
    }
  }
  return { ...under, members, removed };
}

function mergeValues(under: Node, over: Node, append: boolean): Node {
  if (under.kind === 'object' && over.kind === 'object') return mergeObjects(under, over, () => append);
  if (under.kind === 'array' && over.kind === 'array' && append) return { ...under, items: [...under.items, ...over.items] };
  return withoutNulls(over);
}

/** Null removes also where there is nothing to remove. */
function withoutNulls(node: Node): Node {
  return node.kind === 'object' ? mergeObjects({ ...node, members: new Map() }, node, () => true) : node;
}
