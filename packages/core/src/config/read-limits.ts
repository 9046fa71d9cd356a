import type { Config } from './config.ts';
import type { Members } from './members.ts';
import { parseSize } from './quantities.ts';

const mebibyte = 1024 * 1024;
const leastMemory = 6 * mebibyte; // as dockerd: with less no container starts

export function readLimits(root: Members): Config['limits'] {
  const limits = root.object('limits');
  const { problems } = root;
  const memory = readSize(limits, 'memory');
  if (memory !== undefined && memory < leastMemory) {
    const node = limits.get('memory')!;
    problems.add('BAD_VALUE', node, `${memory} bytes of memory are too few for any program.`, `at least "6m"; did you mean "${memory}g"?`);
  }
  const read = { memory, cpus: limits.number('cpus'), pids: limits.number('pids'), shm: readSize(limits, 'shm') };
  return Object.fromEntries(Object.entries(read).filter(([, value]) => value !== undefined));
}

/** Bytes, or undefined when there is no such member. */
export function readSize(members: Members, name: string): number | undefined {
  const node = members.get(name);
  if (node?.kind === 'number') return node.value;
  if (node?.kind !== 'string') return undefined;
  const bytes = parseSize(node.value);
  if (bytes === undefined) members.problems.add('BAD_VALUE', node, `${JSON.stringify(node.value)} is no usable size.`);
  return bytes;
}
