import { join } from 'node:path';
import type { BuildOptions, Options } from './contract.ts';
import { readJson, writeFileAtomically } from './base/files.ts';
import type { Transport } from './build/build-tools.ts';
import { hostTransport } from './transport.ts';
import type { Config } from './config/config.ts';
import { loadConfig } from './config/load-config.ts';
import { refuseForeignPlatform } from './foreign-platform.ts';
import { compareDescriptions, compareHooks, compareSpecs, type Change } from './container/compare.ts';
import { describeEnvironment, environmentId, Environments, type EnvironmentId, type EnvironmentRecord } from './container/environment.ts';
import type { Lock } from './lock/lock.ts';
import { lockOf, offlineRegistry, requireCovered } from './use-lock.ts';
import { makeSpec } from './container/make-spec.ts';
import type { Container, ContainerSpec } from './engine/engine.ts';
import { engineName, openTools, userId, type Tools } from './open-tools.ts';
import { explainKey } from './plan/explain.ts';
import { keysOf, makePlan } from './plan/make-plan.ts';
import type { Plan, PlannedStep } from './plan/plan.ts';
import type { StepKey } from './oci/step-key.ts';
import { knownNames, namesOf, resolve } from './resolve/resolve.ts';
import type { Resolved } from './resolve/resolved.ts';
import type { LayerId, StepRecord } from './store/layer-store.ts';

/** What the file asks for and what is here: the common beginning of every command that needs both. Nothing is changed by looking. */
export interface Survey {
  readonly tools: Tools;
  readonly environments: Environments;
  readonly config: Config;
  readonly environmentId: EnvironmentId;
  readonly containerId: string;
  readonly resolved: Resolved;
  readonly plan: Plan;
  readonly records: ReadonlyMap<StepKey, StepRecord>;
  readonly transport: Transport;
}

export interface SurveyOptions extends Options, Pick<BuildOptions, 'refresh' | 'frozen' | 'offline'> {
  /** Instead of the one that stands beside the file; null: none. */
  readonly lock?: Lock | null;
}

/** @throws UserError LOCK_INVALID, LOCK_OUTDATED, OFFLINE, CONFIG_NOT_FOUND, CONFIG_INVALID, ENGINE_UNAVAILABLE and those of the registry when a name is new */
export async function survey(options: SurveyOptions, own?: Tools): Promise<Survey> {
  const config = loadConfig(options);
  refuseForeignPlatform(config.platform);
  announceSecrets(config, options);
  const tools = own ?? (await openTools(options));
  const environments = new Environments(tools.directories);
  const id = environmentId({ folder: config.folder, configFile: config.path, engine: engineName, uid: userId() });
  const folder = environments.folder(id);
  const known = knownNames(readJson(join(folder, 'names.json')));
  const resolved = await resolve(config, {
    registry: options.offline ? offlineRegistry(tools.registry) : tools.registry,
    known,
    lock: options.lock === undefined ? lockOf(config) : (options.lock ?? undefined),
    refresh: options.refresh ?? false,
    hashCache: join(tools.directories.cache, 'hashes', `${id}.json`),
  });
  const names = namesOf(resolved);
  if (JSON.stringify(names) !== JSON.stringify(known)) writeFileAtomically(join(folder, 'names.json'), JSON.stringify(names));
  const records = new Map<StepKey, StepRecord>();
  for (const key of keysOf(resolved)) {
    const record = await tools.engine.builder.lookup(key);
    if (record) records.set(key, record);
  }
  const plan = makePlan(resolved, new Map([...records].map(([key, record]) => [key, record.seconds])));
  if (options.frozen) requireCovered(config, plan);
  return {
    tools,
    environments,
    config,
    environmentId: id,
    containerId: containerName(config.name, id),
    resolved,
    plan,
    records,
    transport: hostTransport(config.certificates, options.env),
  };
}

function announceSecrets(config: Config, { env, onSecret }: Pick<Options, 'env' | 'onSecret'>): void {
  if (!onSecret) return;
  for (const name of config.steps.flatMap((step) => (step.kind === 'run' ? step.secrets : []))) if (env[name]) onSecret(env[name]);
}

/** The container of an environment, when there is one. */
export async function findContainer(tools: Tools, id: EnvironmentId): Promise<Container | undefined> {
  const known = new Environments(tools.directories).summary(id)?.spec.id;
  const recorded = known === undefined ? undefined : await tools.engine.find(known);
  if (recorded?.labels['devenv.environment'] === id) return recorded;
  const [container] = await tools.engine.list({ 'devenv.environment': id, 'devenv.role': 'environment' });
  return container;
}

/** `runs`: the image's command runs in it; else it idles until somebody enters. */
export function specOf(found: Survey, layer: LayerId | undefined, runs: boolean): ContainerSpec {
  const { environmentId: id, containerId, transport } = found;
  const spec = makeSpec(found.plan.container, { environmentId: id, containerId, layer, transport });
  const { entrypoint, command, stopSignal } = found.plan.image;
  const job = runs ? { command: [...entrypoint, ...command], ...(stopSignal === undefined ? {} : { stopSignal }) } : { command: [] };
  return { ...spec, ...job, labels: { ...spec.labels, 'devenv.role': 'environment' } };
}

/** What differs between an environment and its file; empty when `up` has nothing to do but to start it. */
export async function changesOf(
  found: Survey,
  record: EnvironmentRecord,
  startedAt: Date | undefined,
  runs: boolean = runsCommand(record),
): Promise<readonly Change[]> {
  const first = found.plan.steps.find((step) => step.state === 'runs');
  const rebuilds = found.plan.base.state === 'runs' || first;
  return [
    ...(rebuilds ? [await rebuildChange(found, first)] : []),
    ...compareSpecs(record.spec, specOf(found, rebuilds ? record.spec.layer : topLayer(found), runs)),
    ...compareDescriptions(record, describeEnvironment(found.plan.container)),
    ...compareHooks(found.plan.container.hooks, record, startedAt),
  ];
}

/** Whether the environment was made to run the image's command. */
export function runsCommand(record: EnvironmentRecord | undefined): boolean {
  return record !== undefined && record.spec.command.length > 0;
}

/** The layer that a plan without work stands for. */
export function topLayer(found: Survey): LayerId | undefined {
  const key = topKey(found);
  return key === undefined ? undefined : found.records.get(key)?.layer;
}

/** The last key of the plan whose layer is here: undefined when not even the base's is. */
export function topKey(found: Survey): StepKey | undefined {
  return keysHere(found).at(-1);
}

function keysHere({ plan, records }: Survey): readonly StepKey[] {
  const keys = [plan.base.key, ...plan.steps.filter((step) => step.state === 'cached').map((step) => step.key)];
  return keys.filter((key) => records.has(key));
}

/** Why a step runs, as lines. */
export async function reasonsOf(found: Survey, step: PlannedStep, earlier: readonly StepRecord[]): Promise<string[]> {
  const index = found.plan.steps.indexOf(step);
  const parent = found.plan.steps.slice(0, index).findLast((candidate) => candidate.key === step.parts.parent);
  return explainKey(step.key, step.parts, { project: found.config.name, name: step.name }, earlier, parent?.name ?? found.plan.base.title);
}

async function rebuildChange(found: Survey, first: PlannedStep | undefined): Promise<Change> {
  const earlier = await found.tools.engine.builder.records();
  if (!first || found.plan.base.state === 'runs')
    return { kind: 'rebuild', text: `the base ${found.plan.base.title} is not here`, effect: 'rebuild from the base' };
  const reasons = await reasonsOf(found, first, earlier);
  const seconds = found.plan.steps.filter((step) => step.state === 'runs').map((step) => lastSeconds(found, step, earlier));
  const known = seconds.reduce<number>((sum, value) => sum + (value ?? 0), 0);
  const about = seconds.some((value) => value !== undefined) ? ` (about ${Math.max(1, Math.round(known))} s)` : '';
  const place = first.number === undefined ? first.name : `step ${first.number}`;
  return { kind: 'rebuild', text: `${first.name} runs: ${reasons.join('; ')}`, effect: `rebuild from ${place}${about}` };
}

function lastSeconds(found: Survey, step: PlannedStep, earlier: readonly StepRecord[]): number | undefined {
  return earlier.find((record) => record.step.project === found.config.name && record.step.name === step.name)?.seconds;
}

function containerName(name: string, id: EnvironmentId): string {
  const slug =
    name
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 30) || 'devenv';
  return `${slug}-${id}`;
}
