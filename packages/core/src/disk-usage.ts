import type { CountedBytes, DiskUsage, EnvironmentDiskUsage, Options } from './contract.ts';
import { treeSize } from './base/tree-size.ts';
import { collect } from './collect.ts';
import { Environments } from './container/environment.ts';
import { layersInUse } from './needed-layers.ts';
import { openTools } from './open-tools.ts';
import type { LayerId } from './store/layer-store.ts';
import { readContents, withParents } from './store/store-contents.ts';

/** Layers are not walked: their sizes were written down when they were made. What containers and volumes hold is. */
export async function diskUsage(options: Options): Promise<DiskUsage> {
  const tools = await openTools(options);
  const { directories, engine } = tools;
  const { layers } = readContents(directories);
  const sizeOf = (ids: Iterable<LayerId>): number => [...ids].reduce((sum, id) => sum + layers.get(id)!.info.bytes, 0);

  const containers = await Promise.all(
    (await engine.list({})).map(async (container) => ({
      environment: container.labels['devenv.environment'],
      layer: container.layer,
      bytes: await container.size(),
    })),
  );
  const volumes = await engine.volumes();
  const records = new Environments(directories).list();
  const usedBy = new Map(
    records.map(({ environmentId: id }) => {
      const tops = containers.flatMap(({ environment, layer }) => (environment === id && layer !== undefined ? [layer] : []));
      return [id, withParents(layers, tops)] as const;
    }),
  );
  const ofImages = withParents(layers, (await layersInUse(tools, new Set())).images);
  const users = new Map<LayerId, number>();
  for (const used of [...usedBy.values(), ofImages]) for (const id of used) users.set(id, (users.get(id) ?? 0) + 1);

  const environments = records.map(({ environmentId, name, folder }): EnvironmentDiskUsage => {
    const used = [...usedBy.get(environmentId)!];
    return {
      environmentId,
      name,
      folder,
      layers: used.length,
      ownBytes: sizeOf(used.filter((id) => users.get(id) === 1)),
      sharedBytes: sizeOf(used.filter((id) => users.get(id)! > 1)),
      changesBytes: total(containers.filter(({ environment }) => environment === environmentId)).bytes,
      volumesBytes: total(volumes.filter((volume) => volume.name.startsWith(`${environmentId}-`))).bytes,
    };
  });
  const inEnvironments = new Set([...usedBy.values()].flatMap((used) => [...used]));
  const onlyImages = [...ofImages].filter((id) => !inEnvironments.has(id));
  const parts = {
    layers: { count: layers.size, bytes: sizeOf(layers.keys()) },
    containers: total(containers),
    volumes: total(volumes),
    caches: { count: 1, bytes: treeSize(directories.cache) },
  };
  return {
    environments: environments.toSorted((a, b) => a.folder.localeCompare(b.folder)),
    ...parts,
    otherVolumes: volumes.filter(({ name }) => !records.some(({ environmentId }) => name.startsWith(`${environmentId}-`))),
    images: { count: onlyImages.length, bytes: sizeOf(onlyImages) },
    totalBytes: Object.values(parts).reduce((sum, { bytes }) => sum + bytes, 0),
    freeableBytes: (await collect({ ...options, dryRun: true })).freedBytes,
  };
}

function total(items: readonly { readonly bytes: number }[]): CountedBytes {
  return { count: items.length, bytes: items.reduce((sum, { bytes }) => sum + bytes, 0) };
}
