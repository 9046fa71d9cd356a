import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listNames } from './base/files.ts';
import type { CollectOptions, Collection, CountedBytes, LostEnvironment } from './contract.ts';
import { UserError } from './base/errors.ts';
import { lock, removeFreeLock } from './base/locks.ts';
import { treeSize } from './base/tree-size.ts';
import { parseDuration, parseSize } from './config/quantities.ts';
import { Environments, type EnvironmentSummary } from './container/environment.ts';
import { layersInUse, plansOf, type KnownPlans } from './needed-layers.ts';
import { openTools, type Tools } from './open-tools.ts';
import { chooseGarbage } from './store/choose-garbage.ts';
import { discardLayers, emptyTrash, leftoversOf, moveToTrash, sweepStore } from './store/discard-layers.ts';
import type { LayerId } from './store/layer-store.ts';
import { readContents, withParents, type StoreContents } from './store/store-contents.ts';
import { holdStore } from './store/store-lock.ts';
import { findContainer } from './survey.ts';
import { idleLocks, oldCaches, oldLogs } from './sweep-files.ts';

/**
 * Removes what nothing needs. What is needed: what containers stand on, in whatever state they are, what the files of the
 * known environments ask for now, and what images have a name. The store is held alone only while layers are renamed away.
 * @throws UserError USAGE for a size or time that is none
 */
export async function collect(wishes: CollectOptions): Promise<Collection> {
  const options = withPolicy(wishes);
  const tools = await openTools(options);
  const { directories, engine } = tools;
  using _one = options.dryRun
    ? undefined
    : await lock(join(directories.runtime, 'gc'), { signal: options.signal, onWait: tellOther(options) });
  if (!options.dryRun) await engine.reap(options.report);
  const lost = new Environments(directories).list().filter(({ folder }) => !existsSync(folder));
  if (options.lost && !options.dryRun) for (const environment of lost) await removeEnvironment(environment, tools, options);

  const gone = new Set(options.lost ? lost.map(({ environmentId }) => environmentId) : []);
  const plans = await plansOf(tools, options, gone);
  const logs = oldLogs(directories, options.unusedSeconds);
  const environments = { removed: options.lost ? lost.map(withoutRecord) : [], lost: options.lost ? [] : lost.map(withoutRecord) };
  const found = options.dryRun ? await look(tools, plans, options, gone) : await takeAway(tools, plans, options, gone);
  const { layers, stepRecords, kept, volumes } = found;
  const [caches, old, leftovers] = [found.caches, logs, found.leftovers].map(measured) as [CountedBytes, CountedBytes, CountedBytes];
  if (!options.dryRun) {
    for (const path of logs) rmSync(path, { recursive: true, force: true });
    for (const folder of [directories.data, directories.cache]) emptyTrash(folder);
  }
  const locks = idleLocks(directories);
  return {
    dryRun: options.dryRun ?? false,
    freedBytes: [layers, caches, old, leftovers, ...volumes].reduce((sum, { bytes }) => sum + bytes, 0),
    removed: {
      layers,
      caches,
      logs: old,
      leftovers,
      stepRecords,
      lockFiles: options.dryRun ? locks.length : locks.filter(removeFreeLock).length,
      environments: environments.removed,
      volumes,
    },
    kept,
    lost: environments.lost,
  };
}

interface PolicyOptions extends CollectOptions {
  readonly maximumBytes: number | undefined;
  readonly unusedSeconds: number | undefined;
}

function withPolicy(options: CollectOptions): PolicyOptions {
  const { maximumSize, olderThan } = options;
  const maximumBytes = maximumSize === undefined ? undefined : maximumSize === '0' ? 0 : parseSize(maximumSize);
  const unusedSeconds = olderThan === undefined ? undefined : (parseDays(olderThan) ?? parseDuration(olderThan));
  if (maximumSize !== undefined && maximumBytes === undefined)
    throw new UserError('USAGE', `"${maximumSize}" is no size.`, { hint: 'Write a number and a unit: 20GB, 500MB.' });
  if (olderThan !== undefined && unusedSeconds === undefined)
    throw new UserError('USAGE', `"${olderThan}" is no time.`, { hint: 'Write a number and a unit: 7d, 12h, 30m.' });
  return { ...options, maximumBytes, unusedSeconds };
}

function parseDays(text: string): number | undefined {
  const match = /^(\d+)([dw])$/.exec(text);
  return match ? Number(match[1]) * (match[2] === 'w' ? 7 : 1) * 86_400 : undefined;
}

interface Choice {
  readonly volumes: Collection['removed']['volumes'];
  readonly layers: CountedBytes;
  readonly stepRecords: number;
  readonly kept: Collection['kept'];
}

/** What is to be measured: where it is, or where it was moved. */
interface Paths {
  readonly caches: readonly string[];
  readonly leftovers: readonly string[];
}

type Arguments = [tools: Tools, plans: KnownPlans, options: PolicyOptions, gone: ReadonlySet<string>];

/** Nobody uses a layer while we choose, and what we choose is out of reach when somebody does again. */
async function takeAway(...[tools, plans, options, gone]: Arguments): Promise<Choice & Paths> {
  const { directories } = tools;
  const { data, cache } = directories;
  const former = trashOf(directories); // of one that was killed
  using _alone = await holdStore(directories, (holders) => tellUsers(options, holders), options.signal);
  const { contents, garbage, ...choice } = await choose(tools, plans, options, gone);
  const copies = discardLayers(directories, contents, garbage);
  for (const { name } of choice.volumes) await tools.engine.removeVolume(name); // who makes a container of one shares the store
  const caches = oldCaches(directories, plans, options.unusedSeconds).flatMap((path) => moveToTrash(cache, path));
  return { ...choice, caches, leftovers: [...former, ...copies, ...sweepStore({ data })] };
}

async function look(...[tools, plans, options, gone]: Arguments): Promise<Choice & Paths> {
  const { directories } = tools;
  const { data } = directories;
  const { contents: _contents, garbage, ...choice } = await choose(tools, plans, options, gone);
  const copies = garbage.flatMap((id) => listNames(join(data, 'swapped-layers')).map((ids) => join(data, 'swapped-layers', ids, id)));
  return {
    ...choice,
    caches: oldCaches(directories, plans, options.unusedSeconds),
    leftovers: [...trashOf(directories), ...copies.filter(existsSync), ...leftoversOf(data, new Set(listNames(join(data, 'layers'))))],
  };
}

function trashOf({ data, cache }: Tools['directories']): readonly string[] {
  return [data, cache].flatMap((folder) => listNames(join(folder, 'trash')).map((name) => join(folder, 'trash', name)));
}

async function choose(
  ...[{ directories, engine }, plans, options, gone]: Arguments
): Promise<Choice & { readonly contents: StoreContents; readonly garbage: readonly LayerId[] }> {
  const contents = readContents(directories);
  const inUse = await layersInUse({ directories, engine }, gone);
  const now = Date.now();
  const needed = [...inUse.environments, ...plans.layers, ...inUse.images];
  const garbage = chooseGarbage(contents, needed, {
    now,
    ...(options.maximumBytes === undefined ? {} : { maximumBytes: options.maximumBytes }),
    ...(options.unusedSeconds === undefined ? {} : { unusedSince: now - options.unusedSeconds * 1000 }),
  });
  const going = new Set(garbage);
  const environments = withParents(contents.layers, [...inUse.environments, ...plans.layers]);
  const images = withParents(contents.layers, inUse.images);
  const staying = [...contents.layers.keys()].filter((id) => !going.has(id));
  const stayingFor = (isReason: (id: LayerId) => boolean): CountedBytes => count(contents, staying.filter(isReason));
  return {
    contents,
    garbage,
    volumes: options.volumes ? await unusedVolumes(engine) : [],
    layers: count(contents, garbage),
    stepRecords: contents.steps.filter(({ record }) => going.has(record.layer)).length,
    kept: {
      environments: stayingFor((id) => environments.has(id)),
      images: stayingFor((id) => images.has(id) && !environments.has(id)),
      policy: stayingFor((id) => !images.has(id) && !environments.has(id)),
    },
  };
}

async function unusedVolumes(engine: Tools['engine']): Promise<Choice['volumes']> {
  return (await engine.volumes()).flatMap(({ name, bytes, used }) => (used ? [] : [{ name, bytes }]));
}

function count({ layers }: StoreContents, ids: readonly LayerId[]): CountedBytes {
  return { count: ids.length, bytes: ids.reduce((sum, id) => sum + (layers.get(id)?.info.bytes ?? 0), 0) };
}

async function removeEnvironment({ environmentId: id }: EnvironmentSummary, tools: Tools, options: CollectOptions): Promise<void> {
  const environments = new Environments(tools.directories);
  using _lock = await environments.lock(id, options.signal, () => {});
  await (await findContainer(tools, id))?.remove();
  environments.forget(id);
  await tools.engine.removeVolumes(`${id}-`);
}

function measured(paths: readonly string[]): CountedBytes {
  return { count: paths.length, bytes: treeSize(...paths) };
}

function withoutRecord({ environmentId, name, folder, configFile }: EnvironmentSummary): LostEnvironment {
  return { environmentId, name, folder, configFile };
}

function tellOther({ report }: CollectOptions): () => void {
  return () => report({ type: 'notice', level: 'info', message: 'Another devenv gc is at work; waiting for it.' });
}

function tellUsers({ report }: CollectOptions, holders: readonly number[]): void {
  const names = holders.map((pid) => `${commandOf(pid) ?? 'a command'} (process ${pid})`);
  report({
    type: 'notice',
    level: 'info',
    message: `Waiting until ${names.length === 0 ? 'another devenv' : names.join(', ')} no longer uses the store; it goes on meanwhile.`,
  });
}

/** `devenv up`, from the arguments of Node. */
function commandOf(pid: number): string | undefined {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    const program = args.findIndex((argument) => /\.[cm]?[jt]s$/.test(argument));
    return program === -1 ? undefined : ['devenv', ...args.slice(program + 1, program + 2)].join(' ');
  } catch {
    return undefined; // it ended meanwhile
  }
}
