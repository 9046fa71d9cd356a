import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Image, Layer } from '../../oci/image.ts';
import type { StepKey } from '../../oci/step-key.ts';
import type { AddOptions, LayerId, StepCache, StepRecord } from '../../store/layer-store.ts';
import type { Build, BuildOptions, Builder, Workbench } from '../engine.ts';
import { makeLockedFolder, type LockedFolder } from '../../base/locks.ts';
import { isMapped } from '../../base/user-namespace.ts';
import { writeCertificates } from './certificates.ts';
import { giveToRoot } from './id-swap.ts';
import { installInit } from './init.ts';
import { closeNetwork, makeEmptyNetwork, openNetwork } from './network.ts';
import { enterEngineNamespace } from './oci-runtime.ts';
import { detachAll } from './overlay.ts';
import type { OciRuntime } from './runtime-call.ts';
import type { StartContext } from './start-container.ts';
import { EmbeddedWorkbench } from './workbench.ts';

export interface BuilderContext extends StartContext {
  readonly cache: StepCache;
  readonly runtime: () => Promise<OciRuntime>;
}

export function embeddedBuilder(context: BuilderContext): Builder {
  return {
    lookup: (key) => context.cache.get(key),
    records: () => context.cache.all(),
    used: (key) => context.cache.used(key),
    async open(id) {
      const layer = await context.store.open(id);
      const { chainId, parent } = (await context.store.info(id))!;
      return { layer, chainId: chainId!, parent }; // known since it was opened
    },
    begin: async (options) => new EmbeddedBuild(context, options),
  };
}

/** Where builds under way have their network and the bundles of their steps; each folder is locked by its owner. */
export function buildsDirectory(context: Pick<StartContext, 'directories'>): string {
  return join(context.directories.runtime, 'builds');
}

class EmbeddedBuild implements Build {
  private readonly context: BuilderContext;
  private readonly options: BuildOptions;
  private readonly networks = new Map<boolean, Promise<string | undefined>>();
  /** Made by the first step: a build in which all is cached touches nothing. */
  private folder: LockedFolder | undefined;

  constructor(context: BuilderContext, options: BuildOptions) {
    this.context = context;
    this.options = options;
  }

  async claim(key: StepKey, onWait: (holders: readonly number[]) => void): Promise<AsyncDisposable> {
    const held = await this.context.store.claim(key, onWait, this.options.signal);
    return { [Symbol.asyncDispose]: async () => held[Symbol.dispose]() };
  }

  async load(image: Image, task: string): Promise<LayerId | undefined> {
    const { report, signal } = this.options;
    const sizes = image.layers.map(({ size }) => size);
    const total = sizes.every((size) => size !== undefined) ? sizes.reduce((sum, size) => sum + size, 0) : undefined;
    let bytes = 0;
    const onBytes = (count: number): void => {
      bytes += count;
      report({ type: 'transfer', id: task, bytes, ...(total === undefined ? {} : { total }) });
    };
    const ended = new AbortController(); // of what is fetched ahead, when one layer cannot be unpacked
    const until = AbortSignal.any([signal, ended.signal]);
    try {
      let topmost: LayerId | undefined;
      for (const layer of image.layers) topmost = await this.context.store.add(layer, topmost, { signal: until, onBytes, ahead: true });
      return topmost;
    } finally {
      ended.abort();
    }
  }

  add(layer: Layer, parent: LayerId | undefined, options: AddOptions): Promise<LayerId> {
    return this.context.store.add(layer, parent, options);
  }

  async fill(make: (directory: string) => Promise<void>): Promise<LayerId> {
    await using bench = await this.openWorkbench(undefined);
    await make(bench.tree);
    return await bench.commit(); // before the bench is disposed
  }

  workbench(parent: LayerId | undefined): Promise<Workbench> {
    return this.openWorkbench(parent);
  }

  private async openWorkbench(parent: LayerId | undefined): Promise<EmbeddedWorkbench> {
    const runtime = await this.context.runtime();
    const { path: directory } = (this.folder ??= this.prepare());
    return EmbeddedWorkbench.open(parent, {
      store: this.context.store,
      storage: this.context.storage,
      directories: this.context.directories,
      directory,
      run: join(directory, 'run'),
      runtime,
      network: (connected) => this.network(directory, connected),
    });
  }

  private prepare(): LockedFolder {
    const folder = makeLockedFolder(() => join(buildsDirectory(this.context), randomBytes(5).toString('hex')));
    const run = join(folder.path, 'run');
    mkdirSync(run);
    chmodSync(run, 0o755); // every user inside looks into it
    installInit(run);
    if (this.options.certificates !== undefined) writeCertificates(run, this.options.certificates);
    giveToRoot(run, undefined);
    return folder;
  }

  private network(directory: string, connected: boolean): Promise<string | undefined> {
    if (!connected && isMapped()) return Promise.resolve(undefined);
    const known = this.networks.get(connected);
    if (known) return known;
    const file = join(directory, connected ? 'netns' : 'netns-none');
    const opening = (connected ? openNetwork(file, [], this.options.report) : Promise.resolve(makeEmptyNetwork(file))).then(() => file);
    this.networks.set(connected, opening);
    return opening;
  }

  record(record: StepRecord): Promise<void> {
    return this.context.cache.set(record);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.networks.values()); // a failure has been told already
    if (!this.folder) return;
    using folder = this.folder;
    await endBuild(folder.path);
  }
}

/** Afterwards nothing of the build remains; its steps have ended. */
export async function endBuild(directory: string): Promise<void> {
  await closeNetwork(join(directory, 'netns'));
  enterEngineNamespace();
  detachAll(directory);
  rmSync(directory, { recursive: true, force: true });
}
