import type { Event } from '../base/events.ts';
import type { Build } from '../engine/engine.ts';
import type { Plan, PlannedStep } from '../plan/plan.ts';
import type { LayerId, StepRecord } from '../store/layer-store.ts';
import type { BuildTools } from './build-tools.ts';
import { StepPublisher } from './publish-steps.ts';
import { RemoteCache, type CacheBill, type LayeredStep } from './remote-cache.ts';
import { StepSource } from './step-source.ts';

/** The caches of one build. Disposed before `settle`: what was to be sent stays here. */
export interface Caches extends AsyncDisposable {
  readonly from: RemoteCache | undefined;
  readonly to: StepPublisher | undefined;
  /** Whether what a source gave is in `to` already. */
  isTarget(source: StepSource): boolean;
  /** Waits until all is sent. */
  settle(): Promise<{ readonly cache?: CacheBill }>;
}

/** Asks for what remains, and begins to send what is here. Without repositories it does nothing. */
export async function openCaches(
  plan: Plan,
  tools: BuildTools,
  state: { readonly remaining: readonly PlannedStep[]; readonly hasBase: boolean; readonly noCache: boolean },
): Promise<Caches> {
  const { cache, report, signal } = tools;
  const { builder } = tools.engine;
  const sources = new Map<string, StepSource>();
  const source = (name: string): StepSource => {
    const known = sources.get(name) ?? new StepSource(name, cache!.open, plan.platform, { report, signal });
    sources.set(name, known);
    return known;
  };
  const names = state.noCache ? [] : (cache?.from ?? []);
  const wanted = [...(state.hasBase || !travels(plan) ? [] : [plan.base]), ...state.remaining.filter((step) => step.state !== 'config')];
  const from =
    names.length > 0 && wanted.length > 0 ? new RemoteCache(names.map(source), wanted, { builder, rates: cache!.rates }) : undefined;
  await from?.ask();
  const target = cache?.to === undefined ? undefined : source(cache.to);
  const to = target && new StepPublisher(target, { builder, platform: plan.platform, report });
  if (to) for (const { key } of layersHere(plan, state)) addRecord(to, await builder.lookup(key));
  return {
    from,
    to,
    isTarget: (other) => other === target,
    async settle() {
      const started = performance.now();
      await to?.finish();
      if (!from && !to) return {};
      const none = { fetched: 0, receivedBytes: 0, savedSeconds: 0, spentSeconds: 0 };
      const bill = from?.bill ?? none;
      const spentSeconds = bill.spentSeconds + (performance.now() - started) / 1000;
      return { cache: { ...bill, spentSeconds, published: to?.published ?? 0, sentBytes: to?.sentBytes ?? 0 } };
    },
    async [Symbol.asyncDispose]() {
      to?.end();
      for (const used of sources.values()) used.close();
    },
  };
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

function layersHere(plan: Plan, state: { readonly remaining: readonly PlannedStep[]; readonly hasBase: boolean }): readonly LayeredStep[] {
  if (!state.hasBase) return [];
  const steps = plan.steps.filter((step) => step.state !== 'config' && !state.remaining.includes(step));
  return travels(plan) ? [plan.base, ...steps] : steps;
}

function addRecord(to: StepPublisher, record: StepRecord | undefined): void {
  if (record) to.add(record);
}
