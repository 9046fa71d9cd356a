import { existsSync } from 'node:fs';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { Environments } from './container/environment.ts';
import type { Tools } from './open-tools.ts';
import { diskImageStore, layersOfImages } from './store/image-store.ts';
import type { LayerId } from './store/layer-store.ts';
import { survey } from './survey.ts';

/** What the files of the known environments ask for now, as far as it is here. */
export interface KnownPlans {
  readonly layers: ReadonlySet<LayerId>;
  /** Targets of folders that their steps keep between builds. */
  readonly caches: ReadonlySet<string>;
  /** `false`: some file could not be understood, so that nobody knows what it asks for. */
  readonly complete: boolean;
}

/** Topmost layers that containers, environments' records and names of images mean. `gone`: environments that do not count. */
export async function layersInUse(
  { directories, engine }: Pick<Tools, 'directories' | 'engine'>,
  gone: ReadonlySet<string>,
): Promise<Record<'environments' | 'images', Set<LayerId>>> {
  const containers = await engine.list({});
  const inContainers = containers.filter(({ labels }) => !gone.has(labels['devenv.environment'] ?? '')).map(({ layer }) => layer);
  const environments = new Environments(directories);
  // A container may have been removed by hand: the next `up` stands on the same layer.
  const inRecords = environments
    .list()
    .filter(({ environmentId }) => !gone.has(environmentId))
    .map(({ environmentId, spec }) => environments.read(environmentId)?.spec.layer ?? (spec as { readonly layer?: LayerId }).layer);
  return {
    environments: new Set([...inContainers, ...inRecords].filter((layer) => layer !== undefined)),
    images: new Set(layersOfImages(diskImageStore(directories))),
  };
}

/** Asks no registry: names that are not known yet stand for nothing that is here. */
export async function plansOf(tools: Tools, options: Options, gone: ReadonlySet<string>): Promise<KnownPlans> {
  const offline: Tools = { ...tools, registry: async () => Promise.reject(new UserError('REGISTRY_UNREACHABLE', 'not asked')) };
  const layers = new Set<LayerId>();
  const caches = new Set<string>();
  let complete = true;
  for (const { environmentId, folder, configFile } of new Environments(tools.directories).list()) {
    if (gone.has(environmentId) || !existsSync(configFile)) continue;
    const { onSecret: _nobody, ...asked } = options;
    try {
      const { plan, records } = await survey({ ...asked, cwd: folder, configFile, report: () => {} }, offline);
      for (const { layer } of records.values()) layers.add(layer);
      for (const { definition } of plan.steps) if (definition.kind === 'run') for (const target of definition.cache) caches.add(target);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      complete = false;
    }
  }
  return { layers, caches, complete };
}
