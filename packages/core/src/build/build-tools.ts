import { join } from 'node:path';
import type { Directories } from '../base/directories.ts';
import type { Report } from '../base/events.ts';
import type { Engine } from '../engine/engine.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { LocalSource } from '../registry/local.ts';
import type { Registry } from '../registry/registry.ts';
import type { OpenRepository } from './step-source.ts';
import type { PackageStore } from './package-store.ts';
import type { TransferRates } from './transfer-rates.ts';

export interface BuildTools {
  readonly engine: Engine;
  readonly registry: (source?: LocalSource) => Promise<Registry>;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Folder for the logs of failed steps. */
  readonly logs: string;
  /** Folder that holds what steps keep between builds. */
  readonly caches: string;
  /** The host's CA bundle and its proxy variables, when they reach inside. */
  readonly transport: Transport;
  /** Values of the secrets that steps name. */
  readonly secrets: Readonly<Record<string, string | undefined>>;
  /** Where the packages that a lock names come from. */
  readonly packages: PackageStore;
  /** Nothing is asked of any network. */
  readonly offline?: boolean;
  /** Where steps of others may come from, and where those of this machine go. */
  readonly cache?: CacheChoice | undefined;
}

/** Which repositories of steps are believed, and which gets what is made here. */
export interface CacheChoice {
  readonly from: readonly string[];
  readonly to: string | undefined;
  readonly open: OpenRepository;
  readonly rates: TransferRates;
}

/** How this machine reaches the network. Passed to every process of a build, in no key and in no layer. */
export interface Transport {
  /** Absolute path of a PEM bundle on the host. */
  readonly certificates: string | undefined;
  /** Variables for processes inside: those that name the bundle, and the proxies. */
  readonly env: Readonly<Record<string, string>>;
  /** The proxies alone, for programs that run on the host. */
  readonly proxies: Readonly<Record<string, string>>;
}

export interface BuildChoices {
  /**
   * Run every step, and record what it gives now. A key: run this step and all that follow it; what comes out as it was, bit for bit, keeps
   * its layer, and so does the environment on it.
   */
  readonly noCache: boolean | StepKey;
  /** Make or fetch the base again too; implies that every step runs again, on it. */
  readonly newBase: boolean;
}

/** Where the logs of failed steps and the folders that steps keep between builds are. */
export function buildPlaces(directories: Directories): Pick<BuildTools, 'logs' | 'caches'> {
  return { logs: join(directories.state, 'logs', 'steps'), caches: join(directories.cache, 'steps') };
}
