import type { BuildOptions, BuildResult, UpResult } from './api.ts';
import { build, buildPlaces } from './build/build.ts';
import type { Change } from './container/compare.ts';
import type { EnvironmentRecord } from './container/environment.ts';
import type { Container } from './engine/engine.ts';
import { changesOf, findContainer, specOf, survey, topLayer, type Survey } from './survey.ts';
import type { LayerId } from './store/layer-store.ts';

/** Brings the workspace's environment in line with its file, and makes it when there is none. */
export async function up(options: BuildOptions): Promise<UpResult> {
  const started = performance.now();
  const first = await survey(options);
  const { tools } = first;
  let waited = false;
  using _lock = await first.environments.lock(first.environmentId, options.signal, () => {
    waited = true;
    options.report({ type: 'notice', level: 'info', message: 'Another devenv is working on this environment; waiting for it.' });
  });
  const found = waited ? await survey(options) : first; // what was seen before the wait is out of date
  const record = first.environments.read(found.environmentId);
  const existing = await findContainer(tools, found.environmentId);
  const running = existing !== undefined && (await existing.inspect()).state === 'running';
  const changes = record && existing ? await changesOf(found, record) : [];
  if (running && changes.length === 0 && !options.noCache) {
    return result(found, existing, record!, { outcome: 'unchanged', changes, built: 0, cached: cachedCount(found), seconds: elapsed(started) });
  }

  await tools.engine.reap(options.report);
  const built = await buildLayers(found, options);
  const spec = specOf(found, built.layer);
  const mustReplace = record === undefined || existing === undefined || changes.length > 0 || record.spec.layer !== spec.layer;
  const task = { type: 'task', id: 'container', kind: 'container', title: `container ${spec.id}` } as const;
  options.report({ ...task, state: 'started' });
  const containerStarted = performance.now();
  let container = existing;
  let made = record;
  try {
    if (mustReplace || !container) {
      await existing?.remove();
      container = await tools.engine.create(spec);
      made = newRecord(found, spec);
      first.environments.write(made);
    }
    await container.start();
  } catch (error) {
    options.report({ ...task, state: 'failed', seconds: elapsed(containerStarted) });
    throw error;
  }
  options.report({ ...task, state: 'done', seconds: elapsed(containerStarted) });
  const outcome = existing === undefined ? 'created' : mustReplace ? 'recreated' : 'started';
  return result(found, container, made!, { outcome, changes, built: built.built, cached: built.cached, seconds: elapsed(started) });
}

/** Makes every layer of the plan; no container. */
export async function buildOnly(options: BuildOptions): Promise<BuildResult> {
  const started = performance.now();
  const found = await survey(options);
  await found.tools.engine.reap(options.report);
  const { built, cached } = await buildLayers(found, options);
  return { built, cached, seconds: elapsed(started) };
}

export async function buildLayers(found: Survey, options: BuildOptions): Promise<{ readonly layer: LayerId | undefined; readonly built: number; readonly cached: number }> {
  const { tools, plan } = found;
  const nothingToDo = plan.base.state === 'cached' && plan.steps.every((step) => step.state !== 'runs') && !options.noCache;
  if (nothingToDo) return { layer: topLayer(found), built: 0, cached: cachedCount(found) };
  return build(
    plan,
    found.resolved,
    { engine: tools.engine, registry: tools.registry, report: options.report, signal: options.signal, ...buildPlaces(tools.directories), transport: found.transport, secrets: options.env, debianMirror: undefined },
    { noCache: options.noCache ?? false },
  );
}

function newRecord(found: Survey, spec: EnvironmentRecord['spec']): EnvironmentRecord {
  return {
    schema: 1,
    environmentId: found.environmentId,
    name: found.config.name,
    folder: found.config.folder,
    configFile: found.config.path,
    spec,
    steps: found.plan.steps.map(({ name, key }) => ({ name, key })),
    createdAt: new Date().toISOString(),
  };
}

function result(found: Survey, container: Container, record: EnvironmentRecord, rest: Pick<UpResult, 'outcome' | 'built' | 'cached' | 'seconds'> & { readonly changes: readonly Change[] }): UpResult {
  return {
    environmentId: found.environmentId,
    containerId: container.id,
    remoteUser: record.spec.user,
    remoteWorkspaceFolder: record.spec.workdir,
    addresses: record.spec.ports.map((port) => `localhost:${port.hostPort}`),
    ...rest,
  };
}

function cachedCount(found: Survey): number {
  return found.plan.steps.filter((step) => step.state === 'cached' && step.number !== undefined).length;
}

function elapsed(since: number): number {
  return (performance.now() - since) / 1000;
}
