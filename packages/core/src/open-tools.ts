import { join } from 'node:path';
import type { Options } from './contract.ts';
import { directories, type Directories } from './base/directories.ts';
import { idMapping, isMapped } from './base/user-namespace.ts';
import type { Container, Engine, Features } from './engine/engine.ts';
import type { LocalSource } from './registry/local.ts';
import type { Settings } from './config/load-settings.ts';
import type { Registry, RemoteRegistry } from './registry/registry.ts';
import type { StepRepository } from './registry/step-repository.ts';
import type { ImageStore } from './store/image-store.ts';
import type { LayerStore, StepCache } from './store/layer-store.ts';

/** Everything that stands below the stages, chosen for this user on this machine: the only place that names implementations. */
export interface Tools {
  readonly directories: Directories;
  readonly engine: Engine;
  /** Opened when a name has to be looked up or a layer fetched: a warm command does neither. */
  readonly registry: (source?: LocalSource) => Promise<Registry>;
}

/** What stands below the commands that speak of images and run nothing. */
export interface ImageTools {
  readonly directories: Directories;
  readonly store: LayerStore & StepCache;
  readonly images: ImageStore;
  readonly registry: () => Promise<RemoteRegistry>;
}

/** Name of the engine that is used here. */
export const engineName = 'embedded';

/** @throws UserError ENGINE_UNAVAILABLE when no engine works here, NOT_WRITABLE, STORE_FORMAT */
export async function openTools(options: Pick<Options, 'env' | 'report'>): Promise<Tools> {
  const places = placesOf(options);
  return { directories: places, engine: await openEngineIn(places, options), registry: registries(options, places) };
}

/** An engine with a store in other places: it knows nothing of what is here. */
export async function openEngineIn(places: Directories, options: Pick<Options, 'env' | 'report'>): Promise<Tools['engine']> {
  const [{ diskStore }, { findEngine }] = await Promise.all([import('./store/disk-store.ts'), import('./engine/find-engine.ts')]);
  return findEngine({ directories: places, env: options.env, report: options.report, runtime: runtimeOf(options) }, () =>
    diskStore(places),
  );
}

/** @throws UserError ENGINE_UNAVAILABLE when this user cannot keep layers here, NOT_WRITABLE, STORE_FORMAT */
export async function openImages(options: Pick<Options, 'env'>): Promise<ImageTools> {
  const places = placesOf(options);
  const [{ diskStore }, { diskImageStore }, { requireEngine }] = await Promise.all([
    import('./store/disk-store.ts'),
    import('./store/image-store.ts'),
    import('./engine/require-engine.ts'),
  ]);
  requireEngine();
  return { directories: places, store: diskStore(places), images: diskImageStore(places), registry: () => openRegistry(options) };
}

/**
 * Held by whoever looks layers up and uses them, before any other lock: what collects layers will take it exclusively, and
 * so never takes what a build or a new container is about to stand on.
 */
export async function shareStore(options: Pick<Options, 'env' | 'signal'>): Promise<Disposable> {
  const { shareStore: share } = await import('./store/store-lock.ts');
  return share(placesOf(options), options.signal);
}

/** The registries, or what lies on this machine: that is opened once, since a compressed archive has to be read as a whole. */
function registries(options: Pick<Options, 'env' | 'report'>, places: Directories): Tools['registry'] {
  const opened = new Map<string, Promise<Registry>>();
  return async (source) => {
    if (!source) return openBases(options, places);
    const { localRegistry, localStamp } = await import('./registry/local.ts');
    const key = `${source.kind} ${source.path} ${localStamp(source)}`;
    const known = opened.get(key) ?? localRegistry(source, join(places.cache, 'archives'));
    opened.set(key, known);
    return known;
  };
}

/** Where the names of bases are looked up: on this machine, or at their registry. */
async function openBases(options: Pick<Options, 'env' | 'report'>, places: Directories): Promise<Registry> {
  const [{ namedBases }, { diskImageStore }, { diskStore }] = await Promise.all([
    import('./named-bases.ts'),
    import('./store/image-store.ts'),
    import('./store/disk-store.ts'),
  ]);
  const local = { images: diskImageStore(places), store: diskStore(places) };
  return namedBases(() => openRegistry(options), local, options.report);
}

/** For what asks about images and needs no engine. @throws UserError CONFIG_INVALID when the user's own settings have mistakes */
export async function openRegistry(options: Pick<Options, 'env'> & Partial<Pick<Options, 'report' | 'signal'>>): Promise<RemoteRegistry> {
  const [{ remoteRegistry }, { loadSettings }] = await Promise.all([import('./registry/remote.ts'), import('./config/load-settings.ts')]);
  const { env, report, signal } = options;
  const places = placesOf(options);
  return remoteRegistry({
    env,
    settings: loadSettings(settingsFiles(env, places), env).registries,
    downloads: join(places.cache, 'downloads'),
    ...(report ? { report } : {}),
    ...(signal ? { signal } : {}),
  });
}

/** What the user and the machine say in their settings. @throws UserError CONFIG_INVALID */
export async function openSettings({ env }: Pick<Options, 'env'>): Promise<Settings> {
  return (await import('./config/load-settings.ts')).loadSettings(settingsFiles(env, placesOf({ env })), env);
}

/** A repository of steps. What does not answer soon is left alone: it would only be in the way of a build. */
export async function openSteps({ env }: Pick<Options, 'env'>, name: string, signal: AbortSignal): Promise<StepRepository> {
  const [{ remoteRegistry }, { stepRepository }] = await Promise.all([
    import('./registry/remote.ts'),
    import('./registry/step-repository.ts'),
  ]);
  const { registries: settings } = await openSettings({ env });
  const downloads = join(placesOf({ env }).cache, 'downloads');
  return stepRepository(name, remoteRegistry({ env, settings, downloads, signal, attempts: 1, silence: 10_000 }));
}

/** The machine's, then the user's own. */
function settingsFiles(env: Options['env'], places: Directories): readonly string[] {
  return [...(env['DEVENV_BASE_DIR'] ? [] : ['/etc/devenv/config.json']), join(places.config, 'config.json')];
}

/** What was tried to find out whether the engine works here; asked also where it does not. */
export async function probeEngine(options: Pick<Options, 'env'>): Promise<Features> {
  const { probeHost } = await import('./engine/embedded/probe.ts');
  return probeHost({
    directories: placesOf(options),
    runtime: runtimeOf(options),
    storage: options.env['DEVENV_STORAGE_DRIVER'] || undefined,
  });
}

/** One running container, for entering it: loads only what that takes. */
export async function openContainer(options: Pick<Options, 'env'>, id: string): Promise<Pick<Container, 'exec'>> {
  const { execInRunningContainer } = await import('./engine/embedded/exec.ts');
  const folder = join(placesOf(options).data, 'containers', id);
  return { exec: async (command, execOptions) => execInRunningContainer(folder, command, execOptions) };
}

/** The OCI runtime of the user's choice, over the one that probing finds. */
function runtimeOf({ env }: Pick<Options, 'env'>): string | undefined {
  return env['DEVENV_RUNTIME'] || undefined;
}

export function placesOf(options: Pick<Options, 'env'>): Directories {
  return directories(options.env, userId());
}

/** The last environment of a normal user is gone, or so it may be: ends what keeps their user namespace while nobody is in it. */
export async function leaveNamespace(options: Pick<Options, 'env'>): Promise<void> {
  if (isMapped()) await (await import('./engine/embedded/user-namespace.ts')).releaseHolder(placesOf(options));
}

/** The user of this machine, also where devenv is root of a namespace of theirs. */
export function userId(): number {
  return idMapping().user.uid;
}

/** For a normal user: goes on with the same command as root of their user namespace. @throws UserError ENGINE_UNAVAILABLE, TOOL_MISSING */
export async function becomeMappedRoot(options: Pick<Options, 'env'>): Promise<void> {
  const { becomeMappedRoot: become } = await import('./engine/embedded/user-namespace.ts');
  await become(placesOf(options));
}
