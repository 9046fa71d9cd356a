import type { BuildOptions, BuildResult } from './contract.ts';
import { composedRecord, composeImage } from './compose-image.ts';
import { tagOf, type NewImage } from './import-image.ts';
import { defaultEpoch } from './store/normalise.ts';
import { rawConfig, withParameters, type HistoryEntry } from './oci/image-document.ts';
import { familiarName, parseReference } from './oci/reference.ts';
import { openImages, shareStore } from './open-tools.ts';
import type { Plan } from './plan/plan.ts';
import { localReference } from './registry/local.ts';
import { survey, type Survey } from './survey.ts';
import { buildLayers } from './up.ts';

/**
 * Builds, and gives what it made a name. The same file and inputs are the same image, whoever builds it and when: no time and no
 * name of this machine is in it.
 */
export async function buildImage(options: BuildOptions & { readonly name: string }): Promise<BuildResult & NewImage> {
  const started = performance.now();
  const name = tagOf(options.name);
  using _store = await shareStore(options);
  const found = await survey(options);
  await found.tools.engine.reap(options.report);
  const { layer, ...counts } = await buildLayers(found, options);
  const tools = await openImages(options);
  const base = await baseDocument(found);
  const created = new Date(defaultEpoch * 1000).toISOString();
  const composed = await composeImage(
    {
      top: layer,
      platform: found.plan.platform,
      base,
      config: withParameters(base ? rawConfig(base) : {}, found.plan.image),
      history: historyOfPlan(found.plan, created),
      created,
    },
    tools.store,
  );
  tools.images.set(composedRecord(name, composed, tools.images.all()));
  return { name: familiarName(name), id: composed.image.id, ...counts, seconds: (performance.now() - started) / 1000 };
}

/** Of a base that is an image: it is asked for once more, without its layers. Who cannot be asked is not needed. */
export async function baseDocument({ plan, tools }: Pick<Survey, 'plan' | 'tools'>): Promise<Buffer | undefined> {
  const base = plan.base.definition;
  if (base.kind !== 'image') return undefined;
  try {
    const reference = base.local ? localReference : parseReference(base.reference);
    const registry = await tools.registry(base.local);
    return (await registry.get({ ...reference, digest: base.name.manifest }, plan.platform)).document;
  } catch {
    return undefined;
  }
}

/** One line for each step, as the file names it; the base's own comes before when it was made here. */
export function historyOfPlan(plan: Plan, created: string): readonly HistoryEntry[] {
  const base = plan.base.definition.kind === 'debian' ? [{ created, created_by: plan.base.title }] : [];
  const steps = plan.steps.map((step): HistoryEntry => {
    const empty = step.state === 'config' ? { empty_layer: true } : {};
    return { created, created_by: step.name, comment: 'devenv', ...empty };
  });
  return [...base, ...steps];
}
