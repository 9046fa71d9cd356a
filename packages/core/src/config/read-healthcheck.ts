import { commandArguments } from './command-line.ts';
import type { Healthcheck } from './config.ts';
import type { Members } from './members.ts';
import { parseDuration } from './quantities.ts';

export function readHealthcheck(root: Members): Healthcheck | undefined {
  const members = root.object('healthcheck');
  if (!members.node) return undefined;
  const interval = duration(members, 'interval', 30);
  const timeout = duration(members, 'timeout', 30);
  for (const [name, value] of Object.entries({ interval, timeout })) {
    if (value === 0) members.problems.add('BAD_VALUE', members.get(name)!, `"${name}" must be more than 0.`);
  }
  return {
    test: test(members),
    intervalSeconds: interval,
    timeoutSeconds: timeout,
    retries: members.number('retries') ?? 3,
    startPeriodSeconds: duration(members, 'startPeriod', 0),
  };
}

/** In the image's form (image-spec, config.md): `CMD-SHELL` and a text, or `CMD` and arguments. */
function test(members: Members): readonly string[] {
  const node = members.get('test');
  const args = (node && commandArguments(node, members.problems)) ?? [];
  if (node?.kind === 'string') return ['CMD-SHELL', ...args];
  return ['CMD', 'CMD-SHELL', 'NONE'].includes(args[0] ?? '') ? args : ['CMD', ...args];
}

function duration(members: Members, name: string, otherwise: number): number {
  const node = members.get(name);
  if (node?.kind === 'number') return node.value;
  return (node?.kind === 'string' ? parseDuration(node.value) : undefined) ?? otherwise;
}
