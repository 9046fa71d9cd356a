import type { Directories } from '../../base/directories.ts';
import type { LayerStore } from '../../store/layer-store.ts';
import type { OciRuntime } from './runtime-call.ts';
import type { Storage } from './storage/choose-storage.ts';

/** What a build's workbenches and their steps share. */
export interface WorkbenchContext {
  readonly store: LayerStore;
  readonly storage: Storage;
  readonly directories: Directories;
  /** The build's own directory. */
  readonly directory: string;
  /** Shown at /run/devenv in every step: the init, the certificates. */
  readonly run: string;
  readonly runtime: OciRuntime;
  /** Path of one of the build's two network namespaces, made when first asked for; undefined: each step has an empty one of its own. */
  readonly network: (connected: boolean) => Promise<string | undefined>;
}
