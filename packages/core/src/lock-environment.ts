import { join } from 'node:path';
import { UserError } from './base/errors.ts';
import { layersOf, madeHere } from './build-aside.ts';
import type { PackageStore } from './build/package-store.ts';
import { readDirectory } from './compare/read-directory.ts';
import type { LockOptions, LockResult, LockChange } from './contract.ts';
import { installedIn, newlyInstalled } from './lock/installed.ts';
import {
  definitionOf,
  lockPath,
  type Lock,
  type LockedInstall,
  type LockedLayer,
  type LockedPackages,
  type LockedPlatform,
} from './lock/lock.ts';
import { writeLock } from './lock/lock-file.ts';
import type { Digest } from './oci/digest.ts';
import { formatPlatform } from './oci/platform.ts';
import type { StepKey } from './oci/step-key.ts';
import { shareStore } from './open-tools.ts';
import { findPackages } from './package-sources.ts';
import type { Plan } from './plan/plan.ts';
import { defaultEpoch } from './store/normalise.ts';
import { survey, type Survey } from './survey.ts';
import { buildLayers } from './up.ts';
import { choosePackages, lockOf } from './use-lock.ts';
import { firstMoved, requireKnown, unlock } from './move-lock.ts';
import { loadConfig } from './config/load-config.ts';

/**
 * Writes down what the file's environment is made of. What is locked already stays as it is, but for what is to be moved. The
 * digests are those of a build from the lock itself: with all of an archive to choose from, apt may go another way to the same packages.
 */
export async function lockEnvironment(options: LockOptions): Promise<LockResult> {
  const started = performance.now();
  using _store = await shareStore(options);
  const config = loadConfig(options);
  const path = lockPath(config.path);
  const before = lockOf(config);
  const kept = before && options.move ? unlock(before, options.move) : before;
  const isMoved = options.move !== undefined;
  const live = await survey({ ...options, refresh: isMoved, lock: kept ?? null });
  const platform = formatPlatform(live.plan.platform);
  const earlier = before?.platforms[platform];
  requireKnown(options.move ?? [], live.plan, earlier);
  await live.tools.engine.reap(options.report);
  const moved = options.move ? firstMoved(live.plan, earlier, options.move) : Infinity;
  await buildLayers(live, { ...options, noCache: live.plan.steps[moved]?.key ?? false, refresh: isMoved });
  const drafted = await draft(live, options);
  const withPackages: Lock = { epoch: defaultEpoch, platforms: { ...before?.platforms, [platform]: drafted } };
  const replayed = await survey({ ...options, lock: withPackages });
  const another = replayed.plan.steps.findIndex(({ key }, index) => index >= moved && key !== live.plan.steps[index]!.key);
  await buildLayers(replayed, { ...options, noCache: replayed.plan.steps[another]?.key ?? false });
  const stays = new Map(kept?.platforms[platform]?.layers.map(({ key, diffId }) => [key, diffId]));
  for (const { key } of replayed.plan.steps.slice(moved)) stays.delete(key);
  const layers = await lockedLayers(replayed, stays, options.report);
  const after: LockedPlatform = { ...drafted, layers };
  writeLock(path, { ...withPackages, platforms: { ...withPackages.platforms, [platform]: after } });
  return {
    path,
    platform,
    layers: layers.length,
    packages: layers.reduce((sum, { packages = {} }) => sum + Object.keys(packages).length, 0),
    changes: changesBetween(earlier, after),
    seconds: (performance.now() - started) / 1000,
  };
}

/** `stays`: the digests that are locked already, also when the step gave something else here. */
async function lockedLayers(
  { plan, tools }: Survey,
  stays: ReadonlyMap<StepKey, Digest>,
  report: LockOptions['report'],
): Promise<readonly LockedLayer[]> {
  const made = await layersOf(plan, tools);
  return planned(plan).map(({ name, key, parts, locked }) => {
    const here = made.get(key)!.diffId;
    const diffId = stays.get(key) ?? here;
    const message = `The layer of "${name}" that is here is another one than the lock says.`;
    if (diffId !== here) report({ type: 'notice', level: 'warning', message, hint: 'devenv verify tells why' });
    return { name, key, definition: definitionOf(parts), diffId, ...locked };
  });
}

/** What makes a layer, lowest first. */
function planned(plan: Plan): readonly Pick<Plan['steps'][number], 'name' | 'key' | 'parts' | 'locked'>[] {
  const all = [{ ...plan.base, name: plan.base.title }, ...plan.steps];
  return madeHere(plan).map(({ key }) => all.find((candidate) => candidate.key === key)!);
}

/** What the layers that are here install, and where it comes from. The digests are not known yet. */
async function draft(found: Survey, options: LockOptions): Promise<LockedPlatform> {
  const { plan } = found;
  const steps = planned(plan);
  const packages = await choosePackages(found.tools, options);
  const changes = await installs(found, options);
  const wanted = new Map(
    [...changes].filter(([key]) => !steps.find((step) => step.key === key)?.locked).flatMap(([, added]) => [...added]),
  );
  const sources = await sourcesOf(wanted, found, options);
  const layers: LockedLayer[] = [];
  for (const { name, key, parts, locked } of steps) {
    const added = changes.get(key);
    const isNeeded = parts.definition['kind'] !== 'run';
    const install = locked ?? (added && (await lockedInstall(name, added, { sources, packages, isNeeded, options })));
    layers.push({ name, key, definition: definitionOf(parts), diffId: noDigest, ...install });
  }
  return { ...(await imageOf(found)), layers };
}

const noDigest = `sha256:${'0'.repeat(64)}` as LockedLayer['diffId'];

async function imageOf({ resolved: { base } }: Survey): Promise<Pick<LockedPlatform, 'image'>> {
  if (base.kind !== 'image') return {};
  const { index, manifest, image: id } = base.name;
  return { image: { name: base.reference, ...(index ? { index } : {}), manifest, id } };
}

/** For each layer that changes what is installed: which packages it brings. */
async function installs(found: Survey, options: LockOptions): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const { tools, plan } = found;
  const changes = new Map<string, ReadonlyMap<string, string>>();
  let before: ReadonlyMap<string, string> | undefined = plan.base.definition.kind === 'image' ? undefined : new Map();
  for (const { key } of madeHere(plan)) {
    const record = await tools.engine.builder.lookup(key);
    const status = record && textIn(join(tools.directories.data, 'layers', record.layer), 'var/lib/dpkg/status');
    if (status === undefined) continue;
    before ??= await installedInBase(found, options);
    const after = installedIn(status);
    const added = newlyInstalled(before, after);
    before = after;
    const isApt = plan.steps.some((step) => step.key === key && step.definition.kind === 'apt');
    if (added.size > 0 || isApt) changes.set(key, added);
  }
  for (const step of plan.steps) if (step.definition.kind === 'apt' && !changes.has(step.key)) changes.set(step.key, new Map());
  return changes;
}

/** A step may have put anything there: only a file of the layer itself is read. */
function textIn(layer: string, path: string): string | undefined {
  return readDirectory(layer).files.get(path)?.content?.bytes()?.toString();
}

async function installedInBase({ tools, plan, transport }: Survey, { report, signal }: LockOptions): Promise<ReadonlyMap<string, string>> {
  const record = await tools.engine.builder.lookup(plan.base.key);
  if (!record) return new Map();
  await using session = await tools.engine.builder.begin({ report, signal, certificates: transport.certificates });
  await using workbench = await session.workbench(record.layer);
  const chunks: Buffer[] = [];
  await workbench.run({
    args: ['/bin/cat', '/var/lib/dpkg/status'],
    env: {},
    user: 'root',
    workdir: '/',
    network: false,
    caches: [],
    secrets: [],
    onOutput: (chunk) => chunks.push(chunk),
    signal,
  });
  return installedIn(Buffer.concat(chunks).toString());
}

type Sources = Awaited<ReturnType<typeof findPackages>>;

async function sourcesOf(wanted: ReadonlyMap<string, string>, found: Survey, { report, signal }: LockOptions): Promise<Sources> {
  const { builder } = found.tools.engine;
  const top = planned(found.plan).at(-1);
  const record = top && (await builder.lookup(top.key));
  if (wanted.size === 0 || !record) return { packages: new Map(), archiveTime: undefined };
  report({ type: 'notice', level: 'info', message: `Looking for where ${wanted.size} packages come from.` });
  await using session = await builder.begin({ report, signal, certificates: found.transport.certificates });
  return await findPackages(wanted, record.layer, session, { found, signal });
}

interface InstallContext {
  readonly sources: Sources;
  readonly packages: PackageStore;
  /** Nothing but archives can be where its packages come from. */
  readonly isNeeded: boolean;
  readonly options: LockOptions;
}

async function lockedInstall(step: string, added: ReadonlyMap<string, string>, context: InstallContext): Promise<LockedInstall> {
  const { sources, packages, isNeeded, options } = context;
  const lost = [...added.keys()].filter((name) => !sources.packages.has(name));
  if (lost.length > 0 && isNeeded)
    throw new UserError(
      'PACKAGE_UNAVAILABLE',
      `The sources of the image do not have what "${step}" installed:\n  ${lost.map((name) => `${name} ${added.get(name)}`).join('\n  ')}`,
      {
        hint: 'devenv update builds with what they have now, and locks that.',
      },
    );
  if (lost.length > 0) {
    const message = `What "${step}" installs is not locked: no archive has ${lost.join(', ')}.`;
    options.report({ type: 'notice', level: 'warning', message });
    return {};
  }
  const locked: Record<string, LockedPackages[string]> = {};
  for (const [name, version] of [...added].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const { url, sha256 } = sources.packages.get(name)!;
    const file = await packages.fetch({ name, version, url, sha256 }, sources.archiveTime, options.signal);
    locked[name] = { version, sha256: file.sha256, url };
  }
  return { packages: locked, ...(sources.archiveTime === undefined ? {} : { archiveTime: sources.archiveTime }) };
}

/** Old → new, for people. */
function changesBetween(before: LockedPlatform | undefined, after: LockedPlatform): readonly LockChange[] {
  const changes: LockChange[] = [];
  const add = (what: string, from: string | undefined, to: string | undefined): void => {
    if (from !== to) changes.push({ what, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) });
  };
  const [image, earlierImage] = [after.image, before?.image];
  const imageName = image?.name ?? earlierImage?.name;
  if (imageName !== undefined) {
    add(imageName, earlierImage?.manifest, image?.manifest);
    add(`${imageName} for all platforms`, earlierImage?.index, image?.index);
  }
  const [old, current] = [versionsIn(before), versionsIn(after)];
  for (const name of [...new Set([...old.keys(), ...current.keys()])].toSorted()) add(name, old.get(name), current.get(name));
  for (const layer of after.layers) {
    const earlier = before?.layers.find(({ name }) => name === layer.name);
    if (!layer.packages && earlier && earlier.diffId !== layer.diffId) add(layer.name, earlier.diffId, layer.diffId);
  }
  return changes;
}

function versionsIn(platform: LockedPlatform | undefined): ReadonlyMap<string, string> {
  const all = (platform?.layers ?? []).flatMap(({ packages = {} }) => Object.entries(packages));
  return new Map(all.map(([name, { version }]) => [name, version]));
}
