import { accessSync, constants, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMissing, readText } from '../../base/files.ts';
import { isMapped } from '../../base/user-namespace.ts';

const mountPoint = '/sys/fs/cgroup';

/** The controllers that limits stand on. */
const wanted = ['memory', 'cpu', 'pids'] as const;

let known: { readonly path: string | undefined } | undefined;

/**
 * The control group below which we may make groups for containers: the root for root; for a normal user the highest one above
 * this process that was given to them with its controllers (cgroups(7), "Delegating a hierarchy"). Undefined without one.
 */
export function delegatedGroup(): string | undefined {
  return (known ??= { path: isMapped() ? findDelegated(readText('/proc/self/cgroup') ?? '', mountPoint) : '' }).path;
}

/** `memberships`: cgroups(7), /proc/PID/cgroup. */
export function findDelegated(memberships: string, root: string): string | undefined {
  const groups = memberships.split('\n').flatMap((line) => {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    return path === undefined ? [] : [{ controllers: controllers!.split(','), path }];
  });
  const first = groups.filter(({ controllers }) => wanted.some((controller) => controllers.includes(controller)));
  if (first.length > 0) return inVersion1(first, root);
  const second = groups.find(({ controllers }) => controllers[0] === '');
  return second && inVersion2(second.path, root);
}

/** Every controller has a hierarchy; a container's group has the same path in all. */
function inVersion1(
  groups: readonly { readonly controllers: readonly string[]; readonly path: string }[],
  root: string,
): string | undefined {
  const { path } = groups[0]!;
  const isOurs = wanted.every((controller) => {
    const group = groups.find(({ controllers }) => controllers.includes(controller));
    return group?.path === path && isGiven(join(root, controller, path));
  });
  return isOurs && path !== '/' ? path : undefined;
}

/** A process may only move between groups whose common ancestor is ours; one with processes of its own has no controllers to give. */
function inVersion2(path: string, root: string): string | undefined {
  let highest: string | undefined;
  for (let group = path; group !== '/' && isGiven(join(root, group)); group = dirname(group)) {
    const given = (readText(join(root, group, 'cgroup.subtree_control')) ?? '').split(/\s+/);
    if (wanted.every((controller) => given.includes(controller))) highest = group;
  }
  return highest;
}

function isGiven(group: string): boolean {
  try {
    accessSync(group, constants.W_OK);
    accessSync(join(group, 'cgroup.procs'), constants.W_OK);
    return statSync(group).uid === 0; // the user, in their namespace; root of the machine shows as nobody
  } catch (error) {
    if (isMissing(error) || ['EACCES', 'EPERM', 'EROFS'].includes((error as NodeJS.ErrnoException).code ?? '')) return false;
    throw error;
  }
}
