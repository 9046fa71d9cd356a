import type { Build } from '../engine/engine.ts';
import { parseReference } from '../oci/reference.ts';
import type { Plan, ResolvedBase } from '../plan/plan.ts';
import { localReference } from '../registry/local.ts';
import type { LayerId } from '../store/layer-store.ts';
import type { BuildChoices, BuildTools } from './build-tools.ts';
import { claimStep } from './claim-step.ts';
import { debianBase } from './debian-base.ts';
import { fetchStep, travels, type Caches } from './team-cache.ts';

/** The base's topmost layer, pulled or made. Made once, whoever asks at the same time. */
export async function buildBase(
  plan: Plan,
  session: Build,
  tools: BuildTools,
  options: BuildChoices & { readonly caches: Caches },
): Promise<LayerId | undefined> {
  const { caches } = options;
  const base = plan.base.definition;
  if (base.kind === 'scratch') return undefined;
  const task = { type: 'task', id: plan.base.key, kind: 'base', title: plan.base.title } as const;
  await using _claim = await claimStep(plan.base.key, task, session, tools);
  const record = { key: plan.base.key, parts: plan.base.parts, step: { project: plan.container.name, name: plan.base.title } };
  const fetch = async (): Promise<LayerId | undefined> =>
    travels(plan) ? fetchStep(record, undefined, { task, session, tools, caches }) : undefined;
  const preferred = caches.prefers(plan.base.key) ? await fetch() : undefined;
  if (preferred !== undefined) return preferred;
  const known = options.newBase ? undefined : await tools.engine.builder.lookup(plan.base.key);
  if (known) {
    tools.report({ ...task, state: 'cached', seconds: known.seconds });
    if (travels(plan)) caches.to?.add(known);
    return known.layer;
  }
  const fetched = await fetch();
  if (fetched !== undefined) return fetched;
  tools.report({ ...task, state: 'started' });
  const started = performance.now();
  try {
    const layer =
      base.kind === 'debian'
        ? await debianBase({ ...base, locked: plan.base.locked }, plan.platform, session, tools, task.id)
        : await pull(base, plan, session, tools, task.id);
    const seconds = (performance.now() - started) / 1000;
    if (layer !== undefined) {
      const made = { ...record, layer, seconds, createdAt: new Date().toISOString() };
      await session.record(made);
      if (travels(plan)) caches.to?.add(made);
    }
    tools.report({ ...task, state: 'done', seconds });
    return layer;
  } catch (error) {
    tools.report({ ...task, state: 'failed', seconds: (performance.now() - started) / 1000 });
    throw error;
  }
}

async function pull(
  base: Extract<ResolvedBase, { kind: 'image' }>,
  plan: Plan,
  session: Build,
  tools: BuildTools,
  task: string,
): Promise<LayerId | undefined> {
  const registry = await tools.registry(base.local);
  const reference = base.local ? localReference : parseReference(base.reference);
  const image = await registry.get({ ...reference, digest: base.name.manifest }, plan.platform);
  return session.load(image, task);
}
