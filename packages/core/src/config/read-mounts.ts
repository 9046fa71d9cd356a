import type { ConfigMount } from './config.ts';
import { Members } from './members.ts';
import { containerPath, hostPath, isReserved, type PathBase } from './paths.ts';
import { readSize } from './read-limits.ts';
import { placeOf, type StringNode } from './tree.ts';

/** The mounts in the order written, each target once. */
export function readMounts(root: Members, base: PathBase): readonly ConfigMount[] {
  const { problems } = root;
  const targets = new Map<string, StringNode>();
  return root.items('mounts').flatMap((node) => {
    const members = new Members(node, problems);
    const target = members.string('target');
    if (target) checkTarget(target, targets, base, members);
    const mount = readMount(members, containerPath(target?.value ?? '/'), base);
    return mount ? [mount] : [];
  });
}

function readMount(members: Members, target: string, base: PathBase): ConfigMount | undefined {
  const source = members.string('source');
  const readonly = members.flag('readonly', false);
  switch (members.text('type')) {
    case 'bind':
      return {
        type: 'bind',
        source: source ? hostPath(source, base, members.problems) : '',
        target,
        readonly,
        optional: members.flag('optional', false),
      };
    case 'volume':
      return { type: 'volume', source: source?.value ?? '', target, readonly };
    case 'tmpfs':
      return { type: 'tmpfs', target, size: readSize(members, 'size') };
    default:
      return undefined; // a problem of the schema
  }
}

function checkTarget(node: StringNode, targets: Map<string, StringNode>, base: PathBase, { problems }: Members): void {
  const target = containerPath(node.value);
  const before = targets.get(target);
  if (target === base.workspace)
    problems.add('BAD_VALUE', node, `${target} is where the workspace is mounted.`, 'choose another target, or set "workspace"');
  else if (before) problems.add('BAD_VALUE', node, `${target} is the target of another mount (line ${placeOf(before).line}).`);
  else if (target === '/' || isReserved(target)) problems.add('BAD_VALUE', node, `Nothing can be mounted on ${target}.`);
  targets.set(target, before ?? node);
}
