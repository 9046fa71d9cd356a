import { dirname } from 'node:path';
import type { BuildOptions, Diagnosis, Environment, Explanation, Options, Status } from './contract.ts';
import { UserError } from './base/errors.ts';
import { areStrings } from './base/shape.ts';
import { environmentId, Environments, type EnvironmentId, type EnvironmentSummary } from './container/environment.ts';
import { findConfig } from './config/find-config.ts';
import { isHealthy } from './container/check-health.ts';
import type { Container } from './engine/engine.ts';
import { configOrThrow } from './enter.ts';
import { lostConfig } from './lost-config.ts';
import { engineName, leaveNamespace, openTools, placesOf, probeEngine, userId, type Tools } from './open-tools.ts';
import type { Plan, PlannedStep } from './plan/plan.ts';
import { publishedPorts } from './published-ports.ts';
import { changesOf, findContainer, reasonsOf, runsCommand, survey, type Survey } from './survey.ts';

export async function plan(options: BuildOptions): Promise<Plan> {
  return (await survey(options)).plan;
}

export async function why(options: BuildOptions & { readonly step?: string }): Promise<readonly Explanation[]> {
  const found = await survey(options);
  const steps = options.step === undefined ? found.plan.steps : [findStep(found.plan, options.step)];
  const earlier = await found.tools.engine.builder.records();
  return Promise.all(steps.map(async (step) => ({ step: step.name, state: step.state, reasons: await explain(found, step, earlier) })));
}

async function explain(
  found: Survey,
  step: PlannedStep,
  earlier: Awaited<ReturnType<Survey['tools']['engine']['builder']['records']>>,
): Promise<string[]> {
  if (step.state === 'config') return ["it changes only the image's variables: nothing to run"];
  if (step.state === 'runs') return reasonsOf(found, step, earlier);
  const record = found.records.get(step.key);
  return record
    ? [`nothing that it depends on has changed since ${record.createdAt}`]
    : ['a later step is cached, and stands on what this one made'];
}

function findStep(current: Plan, text: string): PlannedStep {
  const step =
    current.steps.find((candidate) => candidate.name === text) ?? current.steps.find((candidate) => String(candidate.number) === text);
  if (step) return step;
  const names = current.steps.map((candidate) => `${candidate.number ?? '-'} ${candidate.name}`).join('\n  ');
  throw new UserError('UNKNOWN_STEP', `There is no step "${text}".`, { hint: `The steps are:\n  ${names}` });
}

export async function status(options: Options): Promise<Status> {
  const found = await survey(options);
  const record = found.environments.read(found.environmentId);
  const container = await findContainer(found.tools, found.environmentId);
  if (!record || !container)
    return { environmentId: found.environmentId, state: 'absent', stale: false, changes: [], environment: undefined, ...asked(found) };
  const environment = await describe(record, container);
  const { startedAt } = await container.inspect();
  const changes = await changesOf(found, record, environment.state === 'running' ? startedAt : undefined);
  const check = found.plan.container.healthcheck;
  const healthy = check && environment.state === 'running' && runsCommand(record) ? await isHealthy(container, check) : undefined;
  return {
    environmentId: found.environmentId,
    state: environment.state,
    stale: changes.length > 0,
    changes,
    ...asked(found),
    ...(healthy === undefined ? {} : { healthy }),
    environment,
  };
}

/** What does not depend on whether there is an environment. */
function asked({ config: { customizations }, plan: { outdated } }: Survey): Pick<Status, 'customizations' | 'outdated'> {
  return { customizations, ...(outdated === undefined ? {} : { outdated }) };
}

export async function stop(options: Options): Promise<Status> {
  return withContainer(options, async ({ container }) => container?.stop());
}

export async function down(options: Options & { readonly volumes?: boolean }): Promise<Status> {
  let removed = false;
  const left = await withContainer(options, async ({ container, environments, id, tools }) => {
    removed = container !== undefined || environments.summary(id) !== undefined;
    await container?.remove();
    if (removed) environments.forget(id);
    if (options.volumes) await tools.engine.removeVolumes(`${id}-`);
  });
  await leaveNamespace(options);
  return { ...left, removed };
}

export async function ps(options: Options): Promise<readonly Environment[]> {
  const tools = await openTools(options);
  await tools.engine.reap(options.report);
  const records = new Map(new Environments(tools.directories).list().map((record) => [record.spec.id, record]));
  const containers = await tools.engine.list({ 'devenv.role': 'environment' });
  const found = await Promise.all(
    containers.flatMap((container) => (records.has(container.id) ? [describe(records.get(container.id)!, container)] : [])),
  );
  return found.toSorted((a, b) => a.folder.localeCompare(b.folder));
}

/** Every probe of the engine, also where none works: that is when it is asked for. */
export async function doctor(options: Options): Promise<Diagnosis> {
  const { works, probes } = await probeEngine(options);
  return { engine: engineName, works, probes };
}

interface Held {
  /** undefined: there is none. */
  readonly container: Container | undefined;
  readonly environments: Environments;
  readonly id: EnvironmentId;
  readonly tools: Tools;
}

/** Acts on this workspace's container under its lock. Needs no valid file: what is to be ended may have been made from another. */
async function withContainer(options: Options, act: (held: Held) => Promise<void>): Promise<Status> {
  const environments = new Environments(placesOf(options));
  const configFile = lostConfig(environments, options, findConfig(options)) ?? configOrThrow(options);
  const tools = await openTools(options);
  const id = environmentId({ folder: dirname(configFile), configFile, engine: engineName, uid: userId() });
  using _lock = await environments.lock(id, options.signal, () =>
    options.report({ type: 'notice', level: 'info', message: 'Another devenv is working on this environment; waiting for it.' }),
  );
  await tools.engine.reap(options.report);
  const container = await findContainer(tools, id);
  await act({ container, environments, id, tools });
  const record = environments.summary(id);
  const left = await findContainer(tools, id);
  const environment = record && left ? await describe(record, left) : undefined;
  return { environmentId: id, state: environment?.state ?? 'absent', stale: false, changes: [], environment };
}

async function describe(record: EnvironmentSummary, container: Container): Promise<Environment> {
  const { state, startedAt, exitCode, networkLost } = await container.inspect();
  const { environmentId: id, name, folder, configFile, createdAt, spec } = record;
  const isRunning = state === 'running';
  const hasEnded = !isRunning && areStrings(spec.command) && spec.command.length > 0 && exitCode !== undefined;
  return {
    environmentId: id,
    name,
    folder,
    configFile,
    containerId: container.id,
    state: isRunning ? 'running' : 'stopped',
    createdAt,
    startedAt: isRunning ? startedAt?.toISOString() : undefined,
    ports: isRunning ? publishedPorts(container) : [],
    ...(networkLost ? { networkLost } : {}),
    ...(hasEnded ? { exitCode } : {}),
  };
}
