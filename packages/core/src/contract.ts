import type { Report } from './base/events.ts';
import type { CacheBill } from './build/remote-cache.ts';
import type { Change } from './container/compare.ts';
import type { LogLine, Probe } from './engine/engine.ts';

/** What every operation needs to know. */
export interface Options {
  /** Where the user stands; devenv.json is looked for here and above. Absolute. */
  readonly cwd: string;
  /** `--config FILE`, relative to cwd. */
  readonly configFile?: string;
  /** The caller's environment: variables of the file, proxies, XDG directories, DEVENV_BASE_DIR. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
  /**
   * Hears the value of every secret that steps name, before anything else is reported: for logs that can mask it. No event
   * has it: events are printed.
   */
  readonly onSecret?: (value: string) => void;
  /** Aborted on the first Ctrl-C or SIGTERM: the running step ends, mounts go, the store stays whole. */
  readonly signal: AbortSignal;
}

export interface BuildOptions extends Options {
  /** Run every step again, and record the results. */
  readonly noCache?: boolean;
  /** Ask again what names mean. */
  readonly refresh?: boolean;
  /** Refuse what the lock does not cover. */
  readonly frozen?: boolean;
  /** Ask no network; say what is missing. */
  readonly offline?: boolean;
  /** Repositories of steps (`ghcr.io/team/cache`) that are believed, beside those of the file and of the user's settings. */
  readonly cacheFrom?: readonly string[];
  /** Where what is made here goes, instead of where the file or the settings say. */
  readonly cacheTo?: string;
}

export interface UpOptions extends BuildOptions {
  /** Run the image's command in the environment, and wait until its health check succeeds. Undefined: as it was made. */
  readonly run?: boolean;
}

export interface LockOptions extends Options {
  /** Lock anew what has these names (of steps, of packages with their steps, `base`); empty: everything. Undefined: what is locked stays. */
  readonly move?: readonly string[];
}

export interface LockResult {
  /** Of the file that was written. */
  readonly path: string;
  readonly platform: string;
  readonly layers: number;
  readonly packages: number;
  readonly changes: readonly LockChange[];
  readonly seconds: number;
}

/** Versions of a package, digests of anything else. */
export interface LockChange {
  readonly what: string;
  /** Absent: it was not locked. */
  readonly from?: string;
  /** Absent: it is no more. */
  readonly to?: string;
}

export interface BuildResult {
  readonly built: number;
  readonly cached: number;
  readonly seconds: number;
  /** Of caches that travel, when some were asked. */
  readonly cache?: CacheBill;
}

export interface UpResult extends BuildResult {
  readonly environmentId: string;
  readonly containerId: string;
  readonly remoteUser: string;
  readonly remoteWorkspaceFolder: string;
  /** What `up` did with the container. */
  readonly action: 'unchanged' | 'started' | 'created' | 'recreated' | 'updated';
  readonly changes: readonly Change[];
  /** `localhost:3000` for each published port. */
  readonly addresses: readonly string[];
}

export interface Environment {
  readonly environmentId: string;
  readonly name: string;
  /** The workspace on the host. */
  readonly folder: string;
  readonly configFile: string;
  readonly containerId: string;
  readonly state: 'running' | 'stopped';
  /** ISO 8601, UTC. */
  readonly createdAt: string;
  /** While it runs. */
  readonly startedAt: string | undefined;
  /** While it runs: each port of it that this machine reaches. */
  readonly ports: readonly PublishedPort[];
  /** It runs, but without a network: what carried it was killed. `up` brings it back. */
  readonly networkLost?: boolean;
  /** Of an environment that does not run any more, but was made to run its command: how that ended. */
  readonly exitCode?: number;
}

export interface PublishedPort {
  /** Where this machine reaches it: `localhost:8080`. */
  readonly address: string;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface Status {
  readonly environmentId: string;
  readonly state: 'absent' | 'running' | 'stopped';
  readonly stale: boolean;
  readonly changes: readonly Change[];
  /** What the lock does not cover of what the file asks for; undefined: there is no lock. */
  readonly outdated?: readonly string[];
  /** Of the file, for editors: they compare it with what they have taken in. Of `status` alone. */
  readonly customizations?: Readonly<Record<string, unknown>>;
  /** Of an environment that runs its command and has a health check: what one test says now. */
  readonly healthy?: boolean;
  readonly environment: Environment | undefined;
  /** Of `down`: whether there was an environment. */
  readonly removed?: boolean;
}

export interface CommandOptions extends Options {
  readonly command: readonly string[];
  readonly extraEnv?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  /** undefined: a terminal when stdin and stdout are terminals. */
  readonly terminal?: boolean;
}

export interface Logs {
  readonly containerId: string;
  /** The container has no command of its own, and so never a log. */
  readonly idle: boolean;
  readonly lines: AsyncIterable<LogLine>;
}

export interface Exit {
  readonly exitCode: number;
  readonly oomKilled: boolean;
}

export interface Explanation {
  readonly step: string;
  readonly state: 'cached' | 'runs' | 'config';
  /** One line per component that differs from the nearest earlier key, or why it is cached. */
  readonly reasons: readonly string[];
}

export interface Diagnosis {
  readonly engine: string;
  readonly works: boolean;
  readonly probes: readonly Probe[];
}

export interface CollectOptions extends Options {
  /** Change nothing, and say what would be done. */
  readonly dryRun?: boolean;
  /** `20GB`, what layers may take: of those that nothing needs only what is over goes, what is cheap to have again first. */
  readonly maximumSize?: string;
  /** `7d`, `12h`: leave what was used since. */
  readonly olderThan?: string;
  /** Remove environments whose folder is gone, with their volumes. */
  readonly lost?: boolean;
  /** Remove volumes that no container has among its mounts, running or not. */
  readonly volumes?: boolean;
}

export interface CountedBytes {
  readonly count: number;
  readonly bytes: number;
}

export interface Collection {
  readonly dryRun: boolean;
  readonly freedBytes: number;
  readonly removed: {
    readonly layers: CountedBytes;
    /** Folders that steps of no environment's plan keep between builds, and downloads. */
    readonly caches: CountedBytes;
    readonly logs: CountedBytes;
    /** What killed commands left. */
    readonly leftovers: CountedBytes;
    readonly stepRecords: number;
    readonly lockFiles: number;
    readonly environments: readonly LostEnvironment[];
    readonly volumes: readonly { readonly name: string; readonly bytes: number }[];
  };
  /** Layers that stay, each under the first reason that holds. */
  readonly kept: Readonly<Record<'environments' | 'images' | 'policy', CountedBytes>>;
  /** Environments whose folder is gone and that are still here. */
  readonly lost: readonly LostEnvironment[];
}

export interface LostEnvironment {
  readonly environmentId: string;
  readonly name: string;
  readonly folder: string;
  readonly configFile: string;
}

export interface VerifyOptions extends Options {
  /** Read every layer's content too, and compare it with the digest of its archive. */
  readonly deep?: boolean;
  /** Drop what is damaged: the next `up` makes it again. */
  readonly repair?: boolean;
}

export interface StoreVerdict {
  readonly layers: CountedBytes;
  readonly stepRecords: number;
  readonly containers: number;
  readonly images: number;
  /** Empty: all is as it was written. `left`: repairing has left it, for this reason. */
  readonly damages: readonly { readonly what: string; readonly text: string; readonly left?: string }[];
  /** As people name them: what stands on a damaged layer, and goes with it when that is repaired. */
  readonly lostImages: readonly string[];
  /** Layers whose content could not be compared, since no digest of it was known; with `deep` it is known from now on. */
  readonly withoutDigest: number;
  readonly leftovers: CountedBytes;
  readonly repaired: boolean;
}

export interface DiskUsage {
  readonly environments: readonly EnvironmentDiskUsage[];
  /** Each counted once, whoever uses it. */
  readonly layers: CountedBytes;
  /** Layers of named images that no environment uses. */
  readonly images: CountedBytes;
  /** What all containers changed and wrote. */
  readonly containers: CountedBytes;
  /** Also those whose environment is gone. */
  readonly volumes: CountedBytes;
  /** Those that belong to no known environment. `used`: by a container that `run` left. */
  readonly otherVolumes: readonly { readonly name: string; readonly bytes: number; readonly used: boolean }[];
  /** Downloads, what steps keep between builds, hashes. */
  readonly caches: CountedBytes;
  readonly totalBytes: number;
  /** What `gc` would free now. */
  readonly freeableBytes: number;
}

export interface EnvironmentDiskUsage {
  readonly environmentId: string;
  readonly name: string;
  readonly folder: string;
  readonly layers: number;
  /** Of layers that no other environment and no image uses. */
  readonly ownBytes: number;
  readonly sharedBytes: number;
  /** What its container changed and wrote. */
  readonly changesBytes: number;
  readonly volumesBytes: number;
}

/** Of a running environment, or of a container that `run` left running. */
export interface ResourceUse {
  /** Of an environment, with its folder. */
  readonly environmentId?: string;
  readonly name: string;
  readonly folder?: string;
  /** Of a container that belongs to no environment. */
  readonly image?: string;
  readonly containerId: string;
  readonly memoryBytes?: number;
  readonly memoryLimit?: number;
  /** Processors in use since the last look: 1.5 = one and a half. */
  readonly cpus?: number;
  readonly cpuLimit?: number;
  readonly pids?: number;
  readonly pidsLimit?: number;
  readonly diskBytes: number;
  readonly receivedBytes?: number;
  readonly sentBytes?: number;
}

export interface CodeOptions extends Options {
  /** Shown, or the one whose environment is shown; relative to cwd. */
  readonly folder?: string;
  /** Show the folder on this machine. */
  readonly local?: boolean;
  /** Serve it, also where an editor of the desktop could open. */
  readonly browser?: boolean;
  /** Of this machine; default: one that is free. */
  readonly port?: number;
  /** How devenv is started: absolute path of its launcher. */
  readonly program: string;
  /** Folders of the editor's extensions, with their package.json. */
  readonly extensions: { readonly extension: string; readonly resolver: string };
}

/** A window of an editor of the desktop, which lives without us. */
export interface CodeWindow {
  readonly opened: 'desktop';
  readonly program: string;
  readonly folder: string;
  readonly environmentId: string;
}

/** An editor that is served until it is disposed. */
export interface CodeHost extends AsyncDisposable {
  readonly opened: 'page';
  /** Has a secret in it: for the user alone. */
  readonly url: string;
  readonly port: number;
  readonly folder: string;
  /** Of the environment that is shown first. */
  readonly environmentId?: string;
  openInBrowser(): void;
}

export interface BridgeOptions extends Options {
  readonly environmentId: string;
  /** Of the editor that asks; default: that of the browser host. */
  readonly commit?: string;
}
