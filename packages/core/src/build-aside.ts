import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './contract.ts';
import type { Directories } from './base/directories.ts';
import { listNames } from './base/files.ts';
import { lockFolderNow, makeLockedFolder } from './base/locks.ts';
import { build } from './build/build.ts';
import { buildPlaces } from './build/build-tools.ts';
import type { Digest } from './oci/digest.ts';
import type { StepKey } from './oci/step-key.ts';
import { openEngineIn, type Tools } from './open-tools.ts';
import type { Plan } from './plan/plan.ts';
import type { LayerId } from './store/layer-store.ts';
import { choosePackages } from './use-lock.ts';
import type { Survey } from './survey.ts';

/** A layer that can be looked into. */
export interface MadeLayer {
  readonly diffId: Digest;
  /** The change set on this machine, as overlayfs has it. */
  readonly directory: string;
}

/** Disposed: nothing of it is left. */
export interface AsideBuild extends AsyncDisposable {
  readonly layers: ReadonlyMap<StepKey, MadeLayer>;
}

/** Carries out a plan in an empty store: no layer, cache or download that is here is used or changed. */
export async function buildAside(plan: Plan, found: Survey, options: Options): Promise<AsideBuild> {
  const own = found.tools.directories;
  const parent = join(own.cache, 'verify');
  for (const name of listNames(parent)) removeWhenLeft(join(parent, name));
  const folder = makeLockedFolder(() => join(parent, randomBytes(4).toString('hex')));
  const remove = (): void => {
    rmSync(folder.path, { recursive: true, force: true });
    folder[Symbol.dispose]();
  };
  try {
    const places = placesIn(folder.path, own);
    const engine = await openEngineIn(places, options);
    await build(
      plan,
      {
        engine,
        registry: found.tools.registry,
        report: options.report,
        signal: options.signal,
        ...buildPlaces(places),
        packages: await choosePackages(found.tools, options), // each is what its hash says
        logs: buildPlaces(own).logs, // who reads why a step failed reads it afterwards
        transport: found.transport,
        secrets: options.env,
      },
      { noCache: true, newBase: true },
    );
    return { layers: await layersOf(plan, { engine, directories: places }), [Symbol.asyncDispose]: async () => remove() };
  } catch (error) {
    remove();
    throw error;
  }
}

/** The layers of a plan that are here, those of a pulled base excepted: their digests are those that were asked for. */
export async function layersOf(
  plan: Plan,
  { engine, directories }: Pick<Tools, 'engine' | 'directories'>,
): Promise<ReadonlyMap<StepKey, MadeLayer>> {
  const layers = new Map<StepKey, MadeLayer>();
  for (const { key } of madeHere(plan)) {
    const record = await engine.builder.lookup(key);
    if (record)
      layers.set(key, {
        diffId: (await engine.builder.open(record.layer)).layer.diffId,
        directory: directoryOf(record.layer, directories),
      });
  }
  return layers;
}

/** What of a plan makes a layer, the base first when it is made and not pulled. */
export function madeHere(plan: Plan): readonly { readonly key: StepKey; readonly name: string; readonly network: boolean }[] {
  const base = plan.base.definition.kind === 'debian' ? [{ key: plan.base.key, name: plan.base.title, network: true }] : [];
  const steps = plan.steps.filter(({ definition }) => definition.kind !== 'env');
  return [
    ...base,
    ...steps.map(({ key, name, definition }) => ({
      key,
      name,
      network: definition.kind === 'apt' || (definition.kind === 'run' && definition.network),
    })),
  ];
}

function directoryOf(layer: LayerId, { data }: Directories): string {
  return join(data, 'layers', layer);
}

function placesIn(folder: string, own: Directories): Directories {
  const at = (name: string): string => join(folder, name);
  return { ...own, cache: at('cache'), data: at('data'), state: at('state'), runtime: at('runtime') };
}

/** What a command that was killed left. */
function removeWhenLeft(path: string): void {
  using held = lockFolderNow(path);
  if (held) rmSync(path, { recursive: true, force: true });
}
