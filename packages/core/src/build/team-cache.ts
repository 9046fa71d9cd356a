import type { Event } from '../base/events.ts';
import type { Build, Builder } from '../engine/engine.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { Plan, PlannedStep } from '../plan/plan.ts';
import type { LayerId, StepRecord } from '../store/layer-store.ts';
import type { BuildTools } from './build-tools.ts';
import { StepPublisher } from './publish-steps.ts';
import { RemoteCache, type CacheBill, type RemoteCacheTools } from './remote-cache.ts';
import { StepSource } from './step-source.ts';

/** The caches of one build. Disposed before `settle`: what was to be sent stays here. */
export interface Caches extends AsyncDisposable {
  readonly from: RemoteCache | undefined;
  readonly to: StepPublisher | undefined;
  /** Where the build begins. */
  readonly beginning: Beginning;
  /** Whether the step is to be fetched also where its layer is here: what follows it stands on theirs. */
  prefers(key: StepKey): boolean;
  /** Whether what a source gave is in `to` already. */
  isTarget(source: StepSource): boolean;
  /** Waits until all is sent. */
  settle(): Promise<{ readonly cache?: CacheBill }>;
}

export interface Beginning {
  /** The topmost layer of the plan that is here; undefined: not even the base is. */
  readonly layer: LayerId | undefined;
  /** What has to be done on it. */
  readonly remaining: readonly PlannedStep[];
}

/** Asks for what remains, and begins to send what is here. Without repositories it does nothing. */
export async function openCaches(plan: Plan, tools: BuildTools, here: Beginning, noCache: boolean): Promise<Caches> {
  const { cache, report, signal } = tools;
  const { builder } = tools.engine;
  const opened = new Map<string, StepSource>();
  const source = (name: string): StepSource => {
    const known = opened.get(name) ?? new StepSource(name, cache!.open, plan.platform, { report, signal });
    opened.set(name, known);
    return known;
  };
  const names = noCache ? [] : (cache?.from ?? []);
  const from = names.length === 0 ? undefined : await askFor(plan, here, names.map(source), { builder, rates: cache!.rates });
  const target = cache?.to === undefined ? undefined : source(cache.to);
  const to = target && new StepPublisher(target, { builder, platform: plan.platform, report });
  const beginning = from?.beginning ?? here;
  if (to) for (const record of await recordsHere(plan, beginning, builder)) to.add(record);
  const remote = from?.remote;
  return {
    from: remote,
    to,
    beginning,
    prefers: (key) => from?.replaced.has(key) ?? false,
    isTarget: (other) => other === target,
    async settle() {
      const started = performance.now();
      await to?.finish();
      if (!remote && !to) return {};
      const none = { fetched: 0, receivedBytes: 0, savedSeconds: 0, spentSeconds: 0 };
      const bill = remote?.bill ?? none;
      const spentSeconds = bill.spentSeconds + (performance.now() - started) / 1000;
      return { cache: { ...bill, spentSeconds, published: to?.published ?? 0, sentBytes: to?.sentBytes ?? 0 } };
    },
    async [Symbol.asyncDispose]() {
      to?.end();
      for (const used of opened.values()) used.close();
    },
  };
}

interface Asked {
  readonly remote: RemoteCache | undefined;
  readonly beginning: Beginning;
  /** Steps whose layers are here and give way to those of others. */
  readonly replaced: ReadonlySet<StepKey>;
}

interface AskTools extends RemoteCacheTools {
  readonly builder: Pick<Builder, 'open' | 'lookup'>;
}

/**
 * What is here may be another tree than the one that others went on from, as of a Debian that was made on another day. Then it gives
 * way to theirs where fetching all of it takes less than running what remains.
 */
async function askFor(plan: Plan, here: Beginning, sources: readonly StepSource[], tools: AskTools): Promise<Asked> {
  const wanted = [...(here.layer === undefined && travels(plan) ? [plan.base] : []), ...layered(here.remaining)];
  const replaced = new Set<StepKey>();
  const [first] = wanted;
  if (!first) return { remote: undefined, beginning: here, replaced };
  const remote = new RemoteCache(sources, wanted, tools);
  await remote.ask();
  if (here.layer === undefined || !remote.has(first.key) || (await remote.fits(first.key, here.layer)))
    return { remote, beginning: here, replaced };
  const all = new RemoteCache(sources, [...(travels(plan) ? [plan.base] : []), ...layered(plan.steps)], tools);
  await all.ask();
  const records = await recordsHere(plan, here, tools.builder);
  const bottom = travels(plan) ? undefined : (await tools.builder.lookup(plan.base.key))?.layer;
  for (let index = records.length - 1; index >= 0; index--) {
    const { key } = records[index]!;
    const layer = index === 0 ? bottom : records[index - 1]!.layer;
    if (!(await all.isWorth(key, layer, records.length - index))) continue;
    for (const record of records.slice(index)) replaced.add(record.key);
    return {
      remote: all,
      beginning: { layer, remaining: plan.steps.slice(plan.steps.findIndex((step) => step.key === key) + (key === plan.base.key ? 1 : 0)) },
      replaced,
    };
  }
  return { remote, beginning: here, replaced };
}

/** From a cache, when that is better than running it. The layer is recorded then. */
export async function fetchStep(
  step: Pick<StepRecord, 'key' | 'parts' | 'step'>,
  parent: LayerId | undefined,
  context: {
    readonly task: Pick<Extract<Event, { type: 'task' }>, 'type' | 'id' | 'kind' | 'title' | 'number' | 'total'>;
    readonly session: Build;
    readonly tools: BuildTools;
    readonly caches: Caches;
  },
): Promise<LayerId | undefined> {
  const { task, session, tools, caches } = context;
  const fetched = await caches.from?.fetch(step.key, parent, session, {
    onStart: (name) => tools.report({ ...task, state: 'started', detail: `from ${name}` }),
    onBytes: (bytes, total) => tools.report({ type: 'transfer', id: task.id, bytes, total }),
  });
  if (!fetched) return undefined;
  const { layer, seconds, from } = fetched;
  const record: StepRecord = { ...step, layer, seconds, createdAt: new Date().toISOString() };
  await session.record(record);
  if (!caches.isTarget(from)) caches.to?.add(record);
  tools.report({ ...task, state: 'cached', seconds });
  return layer;
}

/** An image of a registry or of a file has its own way here; a Debian that was made is a step like others. */
export function travels(plan: Plan): boolean {
  return plan.base.definition.kind === 'debian';
}

/** Of the layers that travel, those below what remains. */
async function recordsHere(plan: Plan, here: Beginning, builder: Pick<Builder, 'lookup'>): Promise<readonly StepRecord[]> {
  if (here.layer === undefined) return [];
  const steps = layered(plan.steps.filter((step) => !here.remaining.includes(step)));
  const records = await Promise.all([...(travels(plan) ? [plan.base] : []), ...steps].map(({ key }) => builder.lookup(key)));
  return records.filter((record) => record !== undefined);
}

function layered(steps: readonly PlannedStep[]): readonly PlannedStep[] {
  return steps.filter((step) => step.state !== 'config');
}
