import { existsSync } from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { ContainerSpec, Mount } from '../engine/engine.ts';
import type { PlannedContainer } from '../plan/plan.ts';

export interface SpecContext {
  readonly environmentId: string;
  readonly containerId: string;
  readonly layer: ContainerSpec['layer'];
  /** The host's CA bundle, the variables that name it, and its proxies. */
  readonly transport: { readonly certificates: string | undefined; readonly env: Readonly<Record<string, string>> };
}

/**
 * The container that a plan asks for, as engines take it.
 * @throws UserError MOUNT_SOURCE_MISSING for a bind whose source does not exist and that is not optional
 */
export function makeSpec(planned: PlannedContainer, context: SpecContext): ContainerSpec {
  return {
    id: context.containerId,
    labels: { ...planned.labels, 'devenv.environment': context.environmentId, 'devenv.workspace': planned.folder },
    layer: context.layer,
    hostname: hostname(planned.name),
    command: [],
    env: { ...context.transport.env, ...planned.env },
    user: planned.user,
    workdir: planned.workspace,
    mounts: [
      // Files made inside belong outside to the owner of the workspace.
      { type: 'bind', source: planned.folder, target: planned.workspace, readonly: false, ownedBy: planned.user },
      ...planned.outputs.map((path): Mount => ({ type: 'output', source: path, target: path })),
      ...planned.mounts.flatMap((mount) => toMount(mount, context.environmentId, planned.user)),
    ],
    network: 'private',
    ports: planned.ports,
    limits: planned.limits,
    security: planned.security,
    certificates: context.transport.certificates,
  };
}

function toMount(mount: PlannedContainer['mounts'][number], environmentId: string, user: string): Mount[] {
  switch (mount.type) {
    case 'tmpfs':
      return [{ type: 'tmpfs', target: mount.target, ...(mount.size === undefined ? {} : { size: mount.size }) }];
    case 'volume':
      return [{ type: 'volume', name: `${environmentId}-${mount.source}`, target: mount.target, readonly: mount.readonly }];
    case 'bind':
      if (existsSync(mount.source))
        return [{ type: 'bind', source: mount.source, target: mount.target, readonly: mount.readonly, ownedBy: user }];
      if (mount.optional) return [];
      throw new UserError('MOUNT_SOURCE_MISSING', `The folder or file ${mount.source}, to be mounted at ${mount.target}, does not exist.`, {
        hint: 'Create it, correct "source", or add "optional": true to the mount.',
      });
    default:
      throw new Error(`unexpected mount: ${JSON.stringify(mount satisfies never)}`);
  }
}

/** A host name as RFC 1123 allows it. */
function hostname(name: string): string {
  const label = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return label.slice(0, 63) || 'devenv';
}
