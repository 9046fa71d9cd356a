import { setTimeout as delay } from 'node:timers/promises';
import type { Options, ResourceUse } from './contract.ts';
import { Environments } from './container/environment.ts';
import type { Container, ContainerUse } from './engine/engine.ts';
import { openTools, type Tools } from './open-tools.ts';
import { containerRole } from './run-image.ts';

const firstMilliseconds = 500;
const usualMilliseconds = 2000;
/** To find out what a container changed means to walk it. */
const looksPerDiskSize = 10;

/** Yields what the running environments use, by folder, then the containers that `run` left, by name; the share of the processors is that since the look before. */
export async function* resourceUse(options: Options): AsyncGenerator<readonly ResourceUse[]> {
  const tools = await openTools(options);
  const sizes = new Map<string, number>();
  let before = await look(tools);
  for (let round = 0; ; round++) {
    await delay(round === 0 ? firstMilliseconds : usualMilliseconds, undefined, { signal: options.signal });
    const now = await look(tools);
    for (const { container } of now)
      if (round % looksPerDiskSize === 0 || !sizes.has(container.id)) sizes.set(container.id, await container.size());
    yield now.map((seen) =>
      describe(
        seen,
        before.find(({ container }) => container.id === seen.container.id),
        sizes.get(seen.container.id) ?? 0,
      ),
    );
    before = now;
  }
}

interface Seen {
  readonly container: Container;
  readonly owner: Pick<ResourceUse, 'environmentId' | 'name' | 'folder' | 'image'>;
  readonly use: ContainerUse;
  /** Milliseconds. */
  readonly at: number;
}

async function look({ directories, engine }: Tools): Promise<readonly Seen[]> {
  const records = new Map(new Environments(directories).list().map((record) => [record.spec.id, record]));
  const seen: Seen[] = [];
  const add = async (container: Container, owner: Seen['owner']): Promise<void> => {
    if ((await container.inspect()).state === 'running') seen.push({ container, owner, use: await container.use(), at: performance.now() });
  };
  for (const container of await engine.list({ 'devenv.role': 'environment' })) {
    const environment = records.get(container.id);
    if (environment) await add(container, environment);
  }
  seen.sort((a, b) => (a.owner.folder ?? '').localeCompare(b.owner.folder ?? ''));
  const containers = await engine.list({ 'devenv.role': containerRole });
  for (const container of containers.toSorted((a, b) => a.id.localeCompare(b.id)))
    await add(container, { name: container.id, image: container.labels['devenv.image'] ?? '' });
  return seen;
}

function describe({ container, owner, use, at }: Seen, before: Seen | undefined, diskBytes: number): ResourceUse {
  const { memory, cpu, pids, network } = use;
  const earlier = before?.use.cpu;
  const cpus = cpu && earlier && before ? Math.max(0, cpu.seconds - earlier.seconds) / ((at - before.at) / 1000) : undefined;
  return {
    ...(owner.environmentId === undefined ? {} : { environmentId: owner.environmentId }),
    name: owner.name,
    ...(owner.folder === undefined ? {} : { folder: owner.folder }),
    ...(owner.image === undefined ? {} : { image: owner.image }),
    containerId: container.id,
    ...(memory ? { memoryBytes: memory.bytes } : {}),
    ...(memory?.limit === undefined ? {} : { memoryLimit: memory.limit }),
    ...(cpus === undefined ? {} : { cpus }),
    ...(cpu?.limit === undefined ? {} : { cpuLimit: cpu.limit }),
    ...(pids ? { pids: pids.count } : {}),
    ...(pids?.limit === undefined ? {} : { pidsLimit: pids.limit }),
    diskBytes,
    ...(network ? { receivedBytes: network.received, sentBytes: network.sent } : {}),
  };
}
