import { commandLine } from './command-line.ts';
import type { Config, Hook } from './config.ts';
import type { Members } from './members.ts';

export function readHooks(root: Members): Config['hooks'] {
  const hooks = root.object('hooks');
  return { create: readHook(hooks, 'create'), start: readHook(hooks, 'start'), attach: readHook(hooks, 'attach') };
}

function readHook(hooks: Members, event: string): readonly Hook[] {
  const node = hooks.get(event);
  if (!node) return [];
  const named =
    node.kind === 'object' ? [...node.members].map(([name, member]) => ({ name, node: member.value })) : [{ name: undefined, node }];
  return named.flatMap((hook) => {
    const command = commandLine(hook.node, hooks.problems);
    return command ? [{ name: hook.name, command }] : [];
  });
}
