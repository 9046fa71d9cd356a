import type { Problems } from './problems.ts';
import type { Node } from './tree.ts';

/** A text is a program for /bin/sh, a list is the arguments themselves. undefined: there is none, or it is bad. */
export function commandLine(node: Node | undefined, problems: Problems): readonly string[] | undefined {
  if (!node) return undefined;
  const args = commandArguments(node, problems);
  return args && node.kind === 'string' ? ['/bin/sh', '-c', ...args] : args;
}

/** The text alone, or the list; reports a command that names no program. */
export function commandArguments(node: Node, problems: Problems): readonly string[] | undefined {
  if (problems.isBad(node)) return undefined;
  const args =
    node.kind === 'string'
      ? [node.value]
      : node.kind === 'array'
        ? node.items.map((item) => (item.kind === 'string' ? item.value : ''))
        : undefined;
  if (args && !args[0]?.trim() && !(node.kind === 'array' && node.items.some((item) => problems.isBad(item)))) {
    problems.add('BAD_VALUE', node, 'A command cannot be empty.');
  }
  return args;
}
