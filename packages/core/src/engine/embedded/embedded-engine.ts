import { join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import type { Report } from '../../base/events.ts';
import type { LayerStore, StepCache } from '../../store/layer-store.ts';
import type { Engine } from '../engine.ts';
import { embeddedBuilder } from './build.ts';
import { chooseRuntime } from './choose-runtime.ts';
import { containersDirectory, isContainerId, listContainers, readRecord } from './container-files.ts';
import { EmbeddedContainer } from './container.ts';
import { createContainer } from './create-container.ts';
import { probeHost } from './probe.ts';
import { reap } from './reap.ts';
import { openStorage, storageVariable } from './storage/choose-storage.ts';
import { measureVolumes, removeVolumes } from './volumes.ts';

export interface EmbeddedEngineOptions {
  readonly directories: Directories;
  readonly store: LayerStore;
  readonly cache: StepCache;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Absolute path of an OCI runtime to use instead of the one that probing finds. */
  readonly runtime?: string | undefined;
  /** Hears what works less well than it should. */
  readonly report?: Report;
}

/**
 * Runs OCI images from this very process, with no daemon: overlayfs for the tree, an OCI runtime for the processes, conmon
 * and pasta for what has to live on when the command is over. Needs root, of the machine or of a user namespace.
 */
export function embeddedEngine(options: EmbeddedEngineOptions): Engine {
  const { directories, store, cache } = options;
  const tell = options.report ?? (() => {});
  const driver = options.env[storageVariable] || undefined;
  const context = { directories, store, report: tell, storage: openStorage({ directories, wanted: driver, report: tell }) };
  const runtime = chooseRuntime(directories, options.runtime);
  return {
    name: 'embedded',
    probe: () => probeHost({ directories, runtime: options.runtime, storage: driver }),
    create: async (spec) => createContainer(spec, await runtime(), context),
    list: async (labels) => {
      const wanted = Object.entries(labels);
      const found = listContainers(directories).filter((directory) => {
        const record = readRecord(directory);
        return record && wanted.every(([name, value]) => record.spec.labels[name] === value);
      });
      return found.map((directory) => new EmbeddedContainer(directory, context));
    },
    async find(id) {
      const directory = join(containersDirectory(directories), id);
      return isContainerId(id) && readRecord(directory) ? new EmbeddedContainer(directory, context) : undefined;
    },
    volumes: () => measureVolumes(directories),
    removeVolumes: (prefix) => removeVolumes(directories, (name) => name.startsWith(prefix)),
    removeVolume: (name) => removeVolumes(directories, (other) => other === name),
    reap: (report) => reap({ ...context, runtime, report }),
    builder: embeddedBuilder({ ...context, cache, runtime }),
  };
}
