import { basename } from 'node:path';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { buildAside, layersOf, madeHere, type MadeLayer } from './build-aside.ts';
import { causeOf, type Cause } from './compare/cause.ts';
import { compareLayers, type LayerDifference } from './compare/compare-layers.ts';
import { readDirectory } from './compare/read-directory.ts';
import { lockPath } from './lock/lock.ts';
import { readLock } from './lock/lock-file.ts';
import type { Digest } from './oci/digest.ts';
import { formatPlatform } from './oci/platform.ts';
import type { StepKey } from './oci/step-key.ts';
import { shareStore } from './open-tools.ts';
import { makePlan } from './plan/make-plan.ts';
import { survey, type Survey } from './survey.ts';

export type { Cause } from './compare/cause.ts';

export interface VerifyResult {
  readonly same: boolean;
  /** What the new layers were compared with: what the lock says, the layers of this machine, or one more build. */
  readonly against: 'lock' | 'store' | 'second build';
  /** Lowest first; an image that was pulled is what its digest says. */
  readonly layers: readonly VerifiedLayer[];
  readonly seconds: number;
}

export interface VerifiedLayer {
  readonly step: string;
  readonly same: boolean;
  readonly expected: string;
  readonly diffId: string;
  /** The first files that differ, the most telling first, and how many more do. None: the expected layer is not on this machine. */
  readonly files: readonly VerifiedFile[];
  readonly more: number;
  /** The most frequent first. */
  readonly causes: readonly { readonly cause: Cause; readonly advice: string }[];
}

export interface VerifiedFile {
  readonly path: string;
  readonly where: 'expected' | 'found' | 'both';
  readonly what: readonly string[];
  readonly cause: Cause;
}

/**
 * Whether building gives the same layers again, bit for bit: builds into an empty store, ignoring every cache, and compares. A
 * difference whose cause cannot be seen is built once more: what comes out the same twice in a row, and not as expected, came from outside.
 * @throws UserError CONFIG_NOT_FOUND, CONFIG_INVALID, LOCK_INVALID, LOCK_OUTDATED, STEP_FAILED, BASE_FAILED and those of a registry
 */
export async function verify(options: Options): Promise<VerifyResult> {
  const started = performance.now();
  using _store = await shareStore(options);
  const found = await survey(options);
  const plan = makePlan(found.resolved, new Map());
  const steps = madeHere(plan);
  const locked = lockedLayers(found, steps);
  const here = await layersOf(plan, found.tools);
  const wanted = new Map(steps.map(({ key }) => [key, locked?.get(key) ?? here.get(key)?.diffId]));
  await using first = await buildAside(plan, found, options);
  const isKnown = steps.every(({ key }) => wanted.get(key) !== undefined);
  // What is expected and cannot be looked at is as good as another build of it, when chance is what makes the difference.
  const isHere = steps.every(({ key }) => wanted.get(key) === here.get(key)?.diffId || wanted.get(key) === first.layers.get(key)!.diffId);
  await using earlier = isKnown && isHere ? undefined : await buildAside(plan, found, options);
  const compared = steps.map(({ key, name, network }): ComparedLayer => {
    const expected = wanted.get(key) ?? earlier!.layers.get(key)!.diffId;
    const made = first.layers.get(key)!;
    const other = [here.get(key), earlier?.layers.get(key)].find((layer) => layer?.diffId === expected) ?? earlier?.layers.get(key);
    return {
      step: name,
      expected,
      diffId: made.diffId,
      differences: expected === made.diffId || !other ? [] : compare(network, other, made),
    };
  });
  const installs = new Set([plan.base.key, ...plan.steps.filter(({ definition }) => definition.kind === 'apt').map(({ key }) => key)]);
  const isUnclear = compared.some(({ differences }, index) =>
    differences.some(({ cause, network }) => network && (cause === undefined || installs.has(steps[index]!.key))),
  );
  await using again = isUnclear && !earlier ? await buildAside(plan, found, options) : undefined;
  const layers = compared.map((layer, index): VerifiedLayer => {
    const { key, network } = steps[index]!;
    const isSteady = network && (earlier ?? again)?.layers.get(key)?.diffId === layer.diffId;
    return describe(layer, isSteady, installs.has(key));
  });
  return {
    same: layers.every(({ same }) => same),
    against: locked ? 'lock' : isKnown ? 'store' : 'second build',
    layers,
    seconds: (performance.now() - started) / 1000,
  };
}

/** What the lock beside the file says of each layer; undefined: there is none. */
function lockedLayers({ config, plan }: Survey, steps: ReturnType<typeof madeHere>): ReadonlyMap<StepKey, Digest> | undefined {
  const path = lockPath(config.path);
  const lock = readLock(path);
  if (!lock) return undefined;
  const layers = new Map(lock.platforms[formatPlatform(plan.platform)]?.layers.map(({ key, diffId }) => [key, diffId]));
  const missing = steps.filter(({ key }) => !layers.has(key)).map(({ name }) => name);
  if (missing.length > 0)
    throw new UserError('LOCK_OUTDATED', `${basename(path)} does not cover ${basename(config.path)}:\n  ${missing.join('\n  ')}`, {
      hint: 'devenv lock writes it; then commit it.',
    });
  return layers;
}

interface ComparedLayer {
  readonly step: string;
  readonly expected: string;
  readonly diffId: string;
  /** Empty although the two differ: nobody here has the one that was expected, and building gives the same each time. */
  readonly differences: readonly (LayerDifference & { readonly cause: Cause | undefined; readonly network: boolean })[];
}

function compare(network: boolean, expected: MadeLayer, found: MadeLayer): ComparedLayer['differences'] {
  const differences = compareLayers(readDirectory(expected.directory), readDirectory(found.directory));
  return differences.map((difference) => ({ ...difference, cause: causeOf(difference, differences), network }));
}

const shownFiles = 12;

/**
 * `isSteady`: the step has a network, and gives the same twice in a row. `installs`: it does nothing but to install packages; then the
 * dates in them are those of another version.
 */
function describe({ step, expected, diffId, differences }: ComparedLayer, isSteady: boolean, installs: boolean): VerifiedLayer {
  const unclear: Cause = isSteady ? 'network content' : 'random bytes';
  const files = differences.map(({ path, where, what, cause }): VerifiedFile => {
    return {
      path,
      where: where === 'a' ? 'expected' : where === 'b' ? 'found' : 'both',
      what,
      cause: isSteady && installs ? unclear : (cause ?? unclear),
    };
  });
  // Directories whose time differs only follow from what is in them.
  const telling = files.toSorted((a, b) => Number(isOnlyTime(a)) - Number(isOnlyTime(b)));
  const counts = Map.groupBy(
    telling.some((file) => !isOnlyTime(file)) ? telling.filter((file) => !isOnlyTime(file)) : telling,
    ({ cause }) => cause,
  );
  if (files.length === 0 && expected !== diffId && isSteady) counts.set(unclear, []);
  const causes = [...counts].toSorted(([, a], [, b]) => b.length - a.length).map(([cause]) => ({ cause, advice: advice[cause] }));
  return {
    step,
    same: expected === diffId,
    expected,
    diffId,
    files: telling.slice(0, shownFiles),
    more: Math.max(0, telling.length - shownFiles),
    causes,
  };
}

function isOnlyTime({ where, what }: VerifiedFile): boolean {
  return where === 'both' && what.every((aspect) => aspect === 'time');
}

/** What to change, for each kind of cause. docs/reproducible.md says more. */
const advice: Readonly<Record<Cause, string>> = {
  'time stamp':
    'Let the step write $SOURCE_DATE_EPOCH instead of the time (date -u -d @$SOURCE_DATE_EPOCH), or leave the time out (gzip -n). What a tool keeps of its downloads belongs into "cache".',
  ordering: 'Sort what is listed (LC_ALL=C sort, tar --sort=name), or let one job write at a time (make -j1).',
  'random bytes': 'Give what is random a fixed seed, or make it when the environment starts: in a hook of "create".',
  path: 'Work in a folder with a fixed name instead of mktemp, or strip it (gcc -ffile-prefix-map).',
  'network content':
    'Name an exact version and check its hash (npm ci, pip --require-hashes, sha256sum -c), or declare the file as an input.',
};
