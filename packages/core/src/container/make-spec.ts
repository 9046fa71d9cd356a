import { existsSync } from 'node:fs';
import { UserError } from '../base/errors.ts';
import type { Config, ConfigMount } from '../config/config.ts';
import { fillContainerEnv } from '../config/variables.ts';
import type { ContainerSpec, Mount } from '../engine/engine.ts';
import type { Plan } from '../plan/plan.ts';
import type { LayerId } from '../store/layer-store.ts';

export interface SpecContext {
  readonly environmentId: string;
  readonly containerId: string;
  readonly layer: LayerId | undefined;
  /** The host's CA bundle and the variables that name it, and its proxies. */
  readonly transport: { readonly certificates: string | undefined; readonly env: Readonly<Record<string, string>> };
}

/**
 * The container that a plan and its file ask for, as data.
 * @throws UserError MOUNT_SOURCE_MISSING for a bind whose source does not exist and that is not optional.
 */
export function makeSpec(plan: Plan, config: Config, context: SpecContext): ContainerSpec {
  const image = plan.image;
  const own = Object.fromEntries(Object.entries(config.env).map(([name, value]) => [name, fillContainerEnv(value, image.env)]));
  return {
    id: context.containerId,
    labels: { ...image.labels, ...config.labels, 'devenv.environment': context.environmentId, 'devenv.workspace': config.folder },
    layer: context.layer,
    hostname: hostname(config.name),
    command: [],
    env: { ...context.transport.env, ...image.env, ...own },
    user: plan.user,
    workdir: config.workspace,
    mounts: [workspaceMount(plan, config), ...outputMounts(plan, config), ...config.mounts.flatMap((mount) => toMount(mount, context.environmentId, plan.user))],
    network: 'private',
    ports: config.ports,
    limits: config.limits,
    security: config.security,
    certificates: context.transport.certificates,
  };
}

/** Files made inside belong outside to the owner of the workspace. */
function workspaceMount(plan: Plan, config: Config): Mount {
  return { type: 'bind', source: config.folder, target: config.workspace, readonly: false, ownedBy: plan.user };
}

function outputMounts(plan: Plan, config: Config): Mount[] {
  return plan.steps.flatMap(({ definition, process }) => {
    if (definition.kind !== 'run') return [];
    return definition.outputs.map((output): Mount => {
      const source = `${process!.workdir}/${output}`;
      const target = process!.workdir === config.workspace ? `${config.workspace}/${output}` : source;
      return { type: 'output', source, target };
    });
  });
}

function toMount(mount: ConfigMount, environmentId: string, user: string): Mount[] {
  switch (mount.type) {
    case 'tmpfs':
      return [{ type: 'tmpfs', target: mount.target, ...(mount.size === undefined ? {} : { size: mount.size }) }];
    case 'volume':
      return [{ type: 'volume', name: `${environmentId}-${mount.source}`, target: mount.target, readonly: mount.readonly }];
    case 'bind':
      if (existsSync(mount.source)) return [{ type: 'bind', source: mount.source, target: mount.target, readonly: mount.readonly, ownedBy: user }];
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
  const label = name.toLowerCase().replaceAll(/[^a-z0-9-]+/g, '-').replaceAll(/^-+|-+$/g, '');
  return label.slice(0, 63) || 'devenv';
}
