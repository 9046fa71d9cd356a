import type { Report } from '../base/events.ts';
import type { Build, Builder } from '../engine/engine.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { Plan, PlannedStep } from '../plan/plan.ts';
import type { LayerId, StepRecord } from '../store/layer-store.ts';
import { buildBase } from './build-base.ts';
import type { BuildChoices, BuildTools } from './build-tools.ts';
import { buildStep } from './build-step.ts';
import { claimStep } from './claim-step.ts';
import type { CacheBill } from './remote-cache.ts';
import { requireSecrets } from './step-secrets.ts';
import { fetchStep, openCaches, type Caches } from './team-cache.ts';

export interface Built {
  /** Topmost layer; undefined for an image without layers. */
  readonly layer: LayerId | undefined;
  readonly built: number;
  readonly cached: number;
  /** Of caches that travel, when some were asked. */
  readonly cache?: CacheBill;
}

/** Carries out a plan: afterwards every layer of it is here. Layers made before a failure stay. */
export async function build(plan: Plan, tools: BuildTools, options: BuildChoices): Promise<Built> {
  const firstAnew = firstMadeAnew(plan, options);
  const lastCached = firstAnew === 0 ? undefined : lastCachedLayer(plan, firstAnew);
  const found = lastCached && (await tools.engine.builder.lookup(lastCached));
  const here = found ? plan.steps.slice(plan.steps.findIndex((step) => step.key === lastCached) + 1) : plan.steps;
  await using caches = await openCaches(plan, tools, { layer: found?.layer, remaining: here }, firstAnew < Infinity);
  const { remaining, layer: bottom } = caches.beginning;
  for (const step of plan.steps) if (!remaining.includes(step)) reportCached(tools.report, plan, step);
  const counted = plan.steps.filter((step) => step.state !== 'config' && step.number !== undefined);
  const cachedBefore = counted.filter((step) => !remaining.includes(step)).length;
  if (bottom !== undefined && remaining.every((step) => step.state === 'config'))
    return { layer: bottom, built: 0, cached: cachedBefore, ...(await caches.settle()) };

  requireSecrets(
    remaining.filter(({ key }) => !caches.from?.has(key)),
    tools,
  );
  await using session = await tools.engine.builder.begin({
    report: tools.report,
    signal: tools.signal,
    certificates: tools.transport.certificates,
  });
  let layer = bottom ?? (await buildBase(plan, session, tools, { ...options, caches }));
  let [built, cached] = [0, cachedBefore];
  for (const step of remaining) {
    if (step.state === 'config') continue;
    const noCache = plan.steps.indexOf(step) >= firstAnew;
    const result = await buildOnce(step, layer, { plan, session, tools, noCache, keepsSame: options.noCache !== true, caches });
    layer = result.layer;
    if (step.number === undefined) continue;
    if (result.made) built++;
    else cached++;
  }
  return { layer, built, cached, ...(await caches.settle()) };
}

interface Context {
  readonly plan: Plan;
  readonly session: Build;
  readonly tools: BuildTools;
  readonly noCache: boolean;
  /** A layer that comes out as it was before stays. */
  readonly keepsSame: boolean;
  readonly caches: Caches;
}

/** One process makes a key; another that wants it waits and finds it made. */
async function buildOnce(
  step: PlannedStep,
  parent: LayerId | undefined,
  context: Context,
): Promise<{ readonly layer: LayerId; readonly made: boolean }> {
  const { plan, session, tools, caches } = context;
  const task = taskOf(plan, step);
  await using _claim = await claimStep(step.key, task, session, tools);
  const record = { key: step.key, parts: step.parts, step: { project: plan.container.name, name: step.name } };
  const fetch = (): Promise<LayerId | undefined> => fetchStep(record, parent, { task, session, tools, caches });
  const preferred = caches.prefers(step.key) ? await fetch() : undefined;
  if (preferred !== undefined) return { layer: preferred, made: false };
  const known = context.noCache ? undefined : await tools.engine.builder.lookup(step.key);
  if (known) {
    tools.report({ ...task, state: 'cached', seconds: known.seconds });
    caches.to?.add(known);
    return { layer: known.layer, made: false };
  }
  const fetched = await fetch();
  if (fetched !== undefined) return { layer: fetched, made: false };
  if (caches.from?.has(step.key)) requireSecrets([step], tools);
  tools.report({ ...task, state: 'started' });
  const started = performance.now();
  try {
    const made = await buildStep(step, parent, { session, tools, task: task.id, folder: plan.container.folder });
    const layer = context.noCache && context.keepsSame ? await sameAsBefore(step.key, made, tools.engine.builder) : made;
    const seconds = (performance.now() - started) / 1000;
    const result: StepRecord = { ...record, layer, seconds, createdAt: new Date().toISOString() };
    await session.record(result);
    caches.to?.add(result);
    tools.report({ ...task, state: 'done', seconds });
    return { layer, made: true };
  } catch (error) {
    const log = (error as { log?: string }).log;
    tools.report({ ...task, state: 'failed', seconds: (performance.now() - started) / 1000, ...(log ? { log } : {}) });
    throw error;
  }
}

async function sameAsBefore(key: StepKey, layer: LayerId, builder: Pick<Builder, 'lookup' | 'open'>): Promise<LayerId> {
  const earlier = await builder.lookup(key);
  if (!earlier) return layer;
  const [before, now] = [await builder.open(earlier.layer), await builder.open(layer)];
  return before.parent === now.parent && before.layer.diffId === now.layer.diffId ? earlier.layer : layer;
}

/** Index of the first step that runs whatever is here; infinite when none does. */
function firstMadeAnew({ steps }: Plan, { noCache, newBase }: BuildChoices): number {
  if (noCache === true || newBase) return 0;
  if (noCache === false) return Infinity;
  return Math.max(
    0,
    steps.findIndex(({ key }) => key === noCache),
  );
}

function lastCachedLayer(plan: Plan, firstAnew: number): StepKey | undefined {
  const step = plan.steps.slice(0, firstAnew).findLast((candidate) => candidate.state === 'cached');
  return step?.key ?? (plan.base.state === 'cached' ? plan.base.key : undefined);
}

function reportCached(report: Report, plan: Plan, step: PlannedStep): void {
  if (step.state === 'config') return;
  report({ ...taskOf(plan, step), state: 'cached', ...(step.seconds === undefined ? {} : { seconds: step.seconds }) });
}

function taskOf(
  plan: Plan,
  step: PlannedStep,
): {
  readonly type: 'task';
  readonly id: string;
  readonly kind: 'step';
  readonly title: string;
  readonly number?: number;
  readonly total: number;
} {
  const total = plan.steps.filter((candidate) => candidate.number !== undefined).length;
  return {
    type: 'task',
    id: step.key,
    kind: 'step',
    title: step.name,
    total,
    ...(step.number === undefined ? {} : { number: step.number }),
  };
}
