import { join } from 'node:path';
import type { BuildOptions, BuildResult, UpOptions, UpResult } from './contract.ts';
import { build, type Built } from './build/build.ts';
import { buildPlaces, type BuildChoices } from './build/build-tools.ts';
import { chooseCache } from './choose-cache.ts';
import { choosePackages, requireHere } from './use-lock.ts';
import { compareHooks, hookIdentity, type Change } from './container/compare.ts';
import { describeEnvironment, type EnvironmentRecord } from './container/environment.ts';
import { waitUntilHealthy } from './container/check-health.ts';
import { runHooks } from './container/run-hooks.ts';
import type { Container } from './engine/engine.ts';
import { shareStore } from './open-tools.ts';
import { publishedPorts } from './published-ports.ts';
import { changesOf, findContainer, runsCommand, specOf, survey, topKey, topLayer, type Survey } from './survey.ts';

/** Brings the workspace's environment in line with its file, and makes it when there is none. */
export async function up(options: UpOptions): Promise<UpResult> {
  const started = performance.now();
  using _store = await shareStore(options);
  const first = await survey(options);
  let waited = false;
  using _lock = await first.environments.lock(first.environmentId, options.signal, () => {
    waited = true;
    options.report({ type: 'notice', level: 'info', message: 'Another devenv is working on this environment; waiting for it.' });
  });
  const found = waited ? await survey(options) : first; // what was seen before the wait is out of date

  const record = found.environments.read(found.environmentId);
  const existing = await findContainer(found.tools, found.environmentId);
  const { state, startedAt } = (await existing?.inspect()) ?? {};
  const running = state === 'running';
  const runs = options.run ?? runsCommand(record);
  const changes = record && existing ? await changesOf(found, record, running ? startedAt : undefined, runs) : [];
  for (const { text, effect } of changes) options.report({ type: 'notice', level: 'info', message: `${text} · ${effect}` });
  const asked = options.noCache === true || options.refresh === true;
  const current: Current =
    record && existing && running && !asked && changes.every((change) => change.kind === 'hot')
      ? await applyHot(found, existing, record, changes)
      : await bringUp(found, { existing, record, changes, runs }, options);

  await runPendingHooks(found, current, options);
  const { healthcheck } = found.plan.container;
  // Also when nothing had to be done: what failed last time may still fail.
  if (runs && healthcheck) await waitUntilHealthy(current.container, healthcheck, options.report, options.signal);
  const { container, action, built, cached, cache } = current;
  return {
    environmentId: found.environmentId,
    containerId: container.id,
    remoteUser: current.record.spec.user,
    remoteWorkspaceFolder: current.record.spec.workdir,
    addresses: publishedPorts(container).map(({ address }) => address),
    action,
    changes,
    built,
    cached,
    ...(cache ? { cache } : {}),
    seconds: elapsed(started),
  };
}

/** What can change while the environment runs: nobody in it is disturbed. */
async function applyHot(found: Survey, container: Container, before: EnvironmentRecord, changes: readonly Change[]): Promise<Current> {
  await rememberUse(found);
  const cached = cachedCount(found);
  if (changes.length === 0) {
    await container.start(); // it runs; what was killed of it comes back
    return { container, record: before, action: 'unchanged', built: 0, cached };
  }
  const spec = specOf(found, before.spec.layer, runsCommand(before));
  await container.update(spec);
  const record: EnvironmentRecord = redescribed(found, before, spec);
  found.environments.write(record);
  return { container, record, action: 'updated', built: 0, cached };
}

interface Current extends Pick<UpResult, 'action' | 'built' | 'cached' | 'cache'> {
  readonly container: Container;
  readonly record: EnvironmentRecord;
}

/** Builds what is missing, then replaces or starts the container. */
async function bringUp(
  found: Survey,
  here: {
    readonly existing: Container | undefined;
    readonly record: EnvironmentRecord | undefined;
    readonly changes: readonly Change[];
    readonly runs: boolean;
  },
  options: BuildOptions,
): Promise<Current> {
  const { engine } = found.tools;
  await engine.reap(options.report);
  // A command that was killed while it removed the container: that is done now.
  const existing = (await here.existing?.inspect())?.state === 'gone' ? undefined : here.existing;
  specOf(found, undefined, here.runs); // a bind source that is missing shows before time is spent on building
  const { layer, ...counts } = await buildLayers(found, options);
  const spec = specOf(found, layer, here.runs);
  const keeps =
    existing && here.record && here.changes.every((change) => change.kind === 'hot') && here.record.spec.layer === spec.layer
      ? existing
      : undefined;
  const task = { type: 'task', id: 'container', kind: 'container', title: `container ${spec.id}` } as const;
  options.report({ ...task, state: 'started' });
  const started = performance.now();
  try {
    if (!keeps && existing && here.record && JSON.stringify(here.record.spec.ports) !== JSON.stringify(spec.ports))
      await existing.update({ ...here.record.spec, ports: spec.ports }); // a port that is taken shows before the environment is gone
    if (!keeps) await existing?.remove();
    await keeps?.update(spec);
    const container = keeps ?? (await engine.create(spec));
    const record = keeps ? redescribed(found, here.record!, spec) : newRecord(found, spec);
    found.environments.write(record);
    await container.start();
    options.report({ ...task, state: 'done', seconds: elapsed(started) });
    return { container, record, action: keeps ? 'started' : existing ? 'recreated' : 'created', ...counts };
  } catch (error) {
    options.report({ ...task, state: 'failed', seconds: elapsed(started) });
    throw error;
  }
}

/** `create` hooks run once per container and text, `start` hooks once per start and text; one that failed is tried again. */
async function runPendingHooks(found: Survey, current: Current, options: BuildOptions): Promise<void> {
  const { hooks } = found.plan.container;
  if (hooks.create.length === 0 && hooks.start.length === 0) return;
  const { startedAt } = await current.container.inspect();
  let { record } = current;
  for (const { event } of compareHooks(hooks, record, startedAt)) {
    if (event === 'attach') continue;
    await runHooks(event, hooks[event], {
      container: current.container,
      report: options.report,
      signal: options.signal,
      logs: join(found.environments.folder(found.environmentId), 'logs'),
    });
    record = { ...record, hooksDone: { ...record.hooksDone, [event]: hookIdentity(event, hooks, record, startedAt) } };
    found.environments.write(record);
  }
}

/** Makes every layer of the plan; no container. */
export async function buildOnly(options: BuildOptions): Promise<BuildResult> {
  const started = performance.now();
  using _store = await shareStore(options);
  const found = await survey(options);
  await found.tools.engine.reap(options.report);
  const { layer: _layer, ...counts } = await buildLayers(found, options);
  return { ...counts, seconds: elapsed(started) };
}

export async function buildLayers(
  found: Survey,
  options: Omit<BuildOptions, 'noCache'> & { readonly noCache?: BuildChoices['noCache'] },
): Promise<Built> {
  const { tools, plan } = found;
  // A Debian without a snapshot is what the archive holds today: asking again what it means is making it again.
  const newBase =
    options.refresh === true && found.config.base.kind === 'debian' && found.config.base.snapshot === undefined && !plan.base.locked;
  await rememberUse(found);
  const nothingToDo = plan.base.state === 'cached' && plan.steps.every((step) => step.state !== 'runs') && !options.noCache && !newBase;
  if (nothingToDo && options.cacheTo === undefined) return { layer: topLayer(found), built: 0, cached: cachedCount(found) };
  const packages = await choosePackages(found.tools, options);
  if (options.offline) requireHere(plan, packages, options.noCache === true);
  return build(
    plan,
    {
      engine: tools.engine,
      registry: tools.registry,
      report: options.report,
      signal: options.signal,
      ...buildPlaces(tools.directories),
      packages,
      transport: found.transport,
      secrets: options.env,
      ...(options.offline ? { offline: true } : { cache: await chooseCache(found.config, options) }),
    },
    { noCache: options.noCache ?? false, newBase },
  );
}

/** What is stood on now is what a collector takes last. A step that is made now is remembered by its record. */
async function rememberUse(found: Survey): Promise<void> {
  const key = topKey(found);
  if (key !== undefined) await found.tools.engine.builder.used(key);
}

function newRecord(found: Survey, spec: EnvironmentRecord['spec']): EnvironmentRecord {
  const { folder, path: configFile } = found.config;
  return {
    schema: 1,
    environmentId: found.environmentId,
    folder,
    configFile,
    spec,
    hooksDone: {},
    createdAt: new Date().toISOString(),
    ...describeEnvironment(found.plan.container),
  };
}

/** The same container, as the file describes it now. */
function redescribed(found: Survey, before: EnvironmentRecord, spec: EnvironmentRecord['spec']): EnvironmentRecord {
  const { healthcheck: _check, seccompProfile: _profile, ...kept } = before;
  return { ...kept, spec, ...describeEnvironment(found.plan.container) };
}

function cachedCount(found: Survey): number {
  return found.plan.steps.filter((step) => step.state === 'cached' && step.number !== undefined).length;
}

function elapsed(since: number): number {
  return (performance.now() - since) / 1000;
}
