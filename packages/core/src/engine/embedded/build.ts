import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../../oci/image.ts';
import type { StepKey } from '../../oci/step-key.ts';
import type { LayerId, StepCache, StepRecord } from '../../store/layer-store.ts';
import type { Build, BuildOptions, Builder, Workbench } from '../engine.ts';
import { identify } from './living-process.ts';
import { closeNetwork, openNetwork } from './network.ts';
import { enterEngineNamespace, makePrivateDirectory } from './oci-runtime.ts';
import { detachAll } from './overlay.ts';
import type { OciRuntime } from './runtime-call.ts';
import type { StartContext } from './start-container.ts';
import { writeJson } from './container-files.ts';
import { EmbeddedWorkbench } from './workbench.ts';

export interface BuilderContext extends StartContext {
  readonly cache: StepCache;
  readonly runtime: () => Promise<OciRuntime>;
}

export function embeddedBuilder(context: BuilderContext): Builder {
  return {
    lookup: (key) => context.cache.get(key),
    records: () => context.cache.all(),
    begin: async (options) => new EmbeddedBuild(context, options),
  };
}

/** owner.json in a build's directory: who it belongs to. */
export interface BuildOwner {
  readonly owner: ReturnType<typeof identify>;
}

/** Where builds under way have their network and the bundles of their steps. */
export function buildsDirectory(context: Pick<StartContext, 'directories'>): string {
  return join(context.directories.runtime, 'builds');
}

class EmbeddedBuild implements Build {
  private readonly context: BuilderContext;
  private readonly options: BuildOptions;
  private readonly directory: string;
  private network: Promise<string> | undefined;

  constructor(context: BuilderContext, options: BuildOptions) {
    this.context = context;
    this.options = options;
    this.directory = join(buildsDirectory(context), randomBytes(5).toString('hex'));
    makePrivateDirectory(this.directory);
    writeJson(join(this.directory, 'owner.json'), { owner: identify(process.pid) } satisfies BuildOwner);
  }

  async claim(key: StepKey, onWait: () => void): Promise<AsyncDisposable> {
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
    let topmost: LayerId | undefined;
    for (const layer of image.layers) topmost = await this.context.store.add(layer, topmost, { signal, onBytes });
    return topmost;
  }

  async fill(make: (directory: string) => Promise<void>): Promise<LayerId> {
    await using bench = await this.openWorkbench(undefined);
    await make(bench.tree);
    return bench.commit();
  }

  workbench(parent: LayerId | undefined): Promise<Workbench> {
    return this.openWorkbench(parent);
  }

  private async openWorkbench(parent: LayerId | undefined): Promise<EmbeddedWorkbench> {
    return EmbeddedWorkbench.open(parent, {
      store: this.context.store,
      directories: this.context.directories,
      directory: this.directory,
      certificates: this.options.certificates,
      runtime: await this.context.runtime(),
      network: () => (this.network ??= this.openNetwork()),
    });
  }

  record(record: StepRecord): Promise<void> {
    return this.context.cache.set(record);
  }

  private async openNetwork(): Promise<string> {
    const file = join(this.directory, 'netns');
    await openNetwork(file, []);
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endBuild(this.directory, this.network);
  }
}

/** Afterwards nothing of the build remains; its steps have ended. */
export async function endBuild(directory: string, opening?: Promise<unknown>): Promise<void> {
  await opening?.catch(() => {}); // that failure has been told already
  await closeNetwork(join(directory, 'netns'));
  enterEngineNamespace();
  detachAll(directory);
  rmSync(directory, { recursive: true, force: true });
}
