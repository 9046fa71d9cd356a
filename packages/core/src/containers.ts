import type { Logs, Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import type { Container, LogOptions } from './engine/engine.ts';
import { tellGap } from './logs.ts';
import { openTools, shareStore, type Tools } from './open-tools.ts';
import { removeEach } from './remove-each.ts';
import { connectedLabel, containerRole } from './run-image.ts';

/** A container that `run` made from an image and that was kept. */
export interface KeptContainer {
  readonly name: string;
  readonly image: string;
  readonly state: 'running' | 'stopped';
  readonly startedAt: string | undefined;
  readonly exitCode?: number;
  /** It runs, but without a network: what carried it was killed. `start` brings it back. */
  readonly networkLost?: boolean;
  /** `127.0.0.1:8080->80/tcp` */
  readonly ports: readonly string[];
}

/** Those that run; `all`: also those that have ended. */
export async function containers(options: Options & { readonly all?: boolean }): Promise<readonly KeptContainer[]> {
  const { engine } = await openTools(options);
  await engine.reap(options.report);
  const found = await Promise.all((await engine.list({ 'devenv.role': containerRole })).map(describe));
  return found.filter(({ state }) => options.all || state === 'running').toSorted((a, b) => a.name.localeCompare(b.name));
}

interface Named extends Options {
  readonly names: readonly string[];
}

/** Idempotent: afterwards they run. @throws UserError CONTAINER_NOT_FOUND before any is started, PORT_TAKEN */
export async function startContainers(options: Named): Promise<readonly KeptContainer[]> {
  using _store = await shareStore(options);
  const found = await namedContainers(options);
  for (const container of found) await container.start();
  return Promise.all(found.map(describe));
}

/** Idempotent: afterwards they do not run; what was changed in them stays. @throws UserError CONTAINER_NOT_FOUND before any is stopped */
export async function stopContainers(options: Named): Promise<readonly KeptContainer[]> {
  const found = await namedContainers(options);
  await Promise.all(found.map(async (container) => container.stop()));
  return Promise.all(found.map(describe));
}

async function namedContainers(options: Named): Promise<readonly Container[]> {
  const tools = await openTools(options);
  return Promise.all(options.names.map(async (name) => namedContainer(tools, name)));
}

/** All that can be. @throws UserError CONTAINER_NOT_FOUND, CONTAINER_RUNNING unless `force` */
export async function removeContainers(
  options: Options & { readonly names: readonly string[]; readonly force?: boolean },
): Promise<readonly KeptContainer[]> {
  const tools = await openTools(options);
  return removeEach(options.names, async (name) => {
    const container = await namedContainer(tools, name);
    const before = await describe(container);
    if (before.state === 'running' && !options.force)
      throw new UserError('CONTAINER_RUNNING', `The container ${name} is running.`, {
        hint: `Stop it first: devenv stop ${name}; or devenv rm -f ${name}`,
      });
    await container.remove();
    return [before];
  });
}

export async function containerLogs(options: Options & LogOptions & { readonly name: string }): Promise<Logs> {
  const container = await namedContainer(await openTools(options), options.name);
  const { follow, tail, signal } = options;
  const isOver = container.labels[connectedLabel] === 'true';
  const onGap = (): void => tellGap(options.report);
  const lines = container.logs({ follow: follow && !isOver, signal, onGap, ...(tail === undefined ? {} : { tail }) });
  return { containerId: container.id, idle: false, lines };
}

/** @throws UserError CONTAINER_NOT_FOUND */
export async function namedContainer({ engine }: Pick<Tools, 'engine'>, name: string): Promise<Container> {
  const all = await engine.list({ 'devenv.role': containerRole });
  const container = all.find(({ id }) => id === name);
  if (container) return container;
  throw new UserError('CONTAINER_NOT_FOUND', `There is no container ${name}.`, {
    hint: all.length === 0 ? 'devenv run --keep leaves one.' : `There are ${all.map(({ id }) => id).join(', ')}.`,
  });
}

async function describe(container: Container): Promise<KeptContainer> {
  const { state, startedAt, exitCode, networkLost } = await container.inspect();
  const isRunning = state === 'running';
  return {
    name: container.id,
    image: container.labels['devenv.image'] ?? '',
    state: isRunning ? 'running' : 'stopped',
    startedAt: isRunning ? startedAt?.toISOString() : undefined,
    ...(isRunning || exitCode === undefined ? {} : { exitCode }),
    ...(networkLost ? { networkLost } : {}),
    ports: container.ports.map(
      ({ hostAddress, hostPort, containerPort, protocol }) => `${hostAddress}:${hostPort}->${containerPort}/${protocol}`,
    ),
  };
}
