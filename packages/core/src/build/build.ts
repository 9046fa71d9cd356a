import { join } from 'node:path';
import type { Directories } from '../base/directories.ts';
import type { Report } from '../base/events.ts';
import type { Build, Engine } from '../engine/engine.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { Plan, PlannedStep } from '../plan/plan.ts';
import type { Registry } from '../registry/registry.ts';
import type { Resolved } from '../resolve/resolved.ts';
import type { LayerId } from '../store/layer-store.ts';
import { buildBase } from './build-base.ts';
import { buildStep } from './build-step.ts';

export interface BuildTools {
  readonly engine: Engine;
  readonly registry: () => Promise<Registry>;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Folder for the logs of failed steps. */
  readonly logs: string;
  /** Folder that holds what steps keep between builds. */
  readonly caches: string;
  /** The host's CA bundle and its proxy variables, when they reach inside. */
  readonly transport: Transport;
  /** Values of the secrets that steps name. */
  readonly secrets: Readonly<Record<string, string | undefined>>;
  /** Debian archive to fetch from, from the user's configuration; never in a layer. */
  readonly debianMirror: string | undefined;
}

/** How this machine reaches the network. Passed to every process of a build, in no key and in no layer. */
export interface Transport {
  /** Absolute path of a PEM bundle on the host. */
  readonly certificates: string | undefined;
  readonly env: Readonly<Record<string, string>>;
}

export interface Built {
  /** Topmost layer; undefined for an image without layers. */
  readonly layer: LayerId | undefined;
  readonly built: number;
  readonly cached: number;
}

/** Where the logs of failed steps and the folders that steps keep between builds are. */
export function buildPlaces(directories: Directories): Pick<BuildTools, 'logs' | 'caches'> {
  return { logs: join(directories.state, 'logs', 'steps'), caches: join(directories.cache, 'steps') };
}

/** Carries out a plan: afterwards every layer of it is here. Layers made before a failure stay. */
export async function build(plan: Plan, resolved: Resolved, tools: BuildTools, options: { readonly noCache: boolean }): Promise<Built> {
  const lastCached = options.noCache ? undefined : lastCachedLayer(plan);
  const found = lastCached && (await tools.engine.builder.lookup(lastCached));
  const remaining = found ? plan.steps.slice(plan.steps.findIndex((step) => step.key === lastCached) + 1) : plan.steps;
  for (const step of plan.steps) if (!remaining.includes(step)) reportCached(tools.report, plan, step);
  const counted = plan.steps.filter((step) => step.state !== 'config' && step.number !== undefined);
  const cachedBefore = counted.filter((step) => !remaining.includes(step)).length;
  if (found && remaining.every((step) => step.state === 'config')) return { layer: found.layer, built: 0, cached: cachedBefore };

  await using session = await tools.engine.builder.begin({ report: tools.report, signal: tools.signal, certificates: tools.transport.certificates });
  let layer = found ? found.layer : await buildBase(plan, resolved, session, tools, options);
  let [built, cached] = [0, cachedBefore];
  for (const step of remaining) {
    if (step.state === 'config') continue;
    const result = await buildOnce(step, layer, { plan, resolved, session, tools, noCache: options.noCache });
    layer = result.layer;
    if (step.number === undefined) continue;
    if (result.made) built++;
    else cached++;
  }
  return { layer, built, cached };
}

interface Context {
  readonly plan: Plan;
  readonly resolved: Resolved;
  readonly session: Build;
  readonly tools: BuildTools;
  readonly noCache: boolean;
}

/** One process makes a key; another that wants it waits and finds it made. */
async function buildOnce(step: PlannedStep, parent: LayerId | undefined, context: Context): Promise<{ readonly layer: LayerId; readonly made: boolean }> {
  const { plan, session, tools } = context;
  const task = taskOf(plan, step);
  await using _claim = await session.claim(step.key, () => tools.report({ ...task, state: 'waiting', detail: 'another devenv is running this step' }));
  const known = context.noCache ? undefined : await tools.engine.builder.lookup(step.key);
  if (known) {
    tools.report({ ...task, state: 'cached', seconds: known.seconds });
    return { layer: known.layer, made: false };
  }
  tools.report({ ...task, state: 'started' });
  const started = performance.now();
  try {
    const files = step.number === undefined ? [] : (context.resolved.files[step.number - 1] ?? []);
    const layer = await buildStep(step, parent, files, { session, tools, task: task.id, folder: context.resolved.config.folder });
    const seconds = (performance.now() - started) / 1000;
    await session.record({ key: step.key, parts: step.parts, layer, step: { project: context.resolved.config.name, name: step.name }, seconds, createdAt: new Date().toISOString() });
    tools.report({ ...task, state: 'done', seconds });
    return { layer, made: true };
  } catch (error) {
    const log = (error as { log?: string }).log;
    tools.report({ ...task, state: 'failed', seconds: (performance.now() - started) / 1000, ...(log ? { log } : {}) });
    throw error;
  }
}

function lastCachedLayer(plan: Plan): StepKey | undefined {
  const step = plan.steps.findLast((candidate) => candidate.state === 'cached');
  return step?.key ?? (plan.base.state === 'cached' ? plan.base.key : undefined);
}

function reportCached(report: Report, plan: Plan, step: PlannedStep): void {
  if (step.state === 'config') return;
  report({ ...taskOf(plan, step), state: 'cached', ...(step.seconds === undefined ? {} : { seconds: step.seconds }) });
}

function taskOf(plan: Plan, step: PlannedStep): { readonly type: 'task'; readonly id: string; readonly kind: 'step'; readonly title: string; readonly number?: number; readonly total: number } {
  const total = plan.steps.filter((candidate) => candidate.number !== undefined).length;
  return { type: 'task', id: step.key, kind: 'step', title: step.name, total, ...(step.number === undefined ? {} : { number: step.number }) };
}
