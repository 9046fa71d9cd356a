import type { Report } from './base/events.ts';
import type { ConfigDescription } from './config/explain-config.ts';
import type { Change } from './container/compare.ts';
import type { Probe } from './engine/engine.ts';
import type { InitResult, InitWishes } from './init/init.ts';
import type { Plan } from './plan/plan.ts';

/** What every operation needs to know. */
export interface Options {
  /** Where the user stands; devenv.json is looked for here and above. Absolute. */
  readonly cwd: string;
  /** `--config FILE`, relative to cwd. */
  readonly configFile?: string;
  /** The caller's environment: variables of the file, proxies, XDG directories, DEVENV_BASE_DIR. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report: Report;
  /** Aborted on the first Ctrl-C or SIGTERM: the running step ends, mounts go, the store stays whole. */
  readonly signal: AbortSignal;
}

export interface BuildOptions extends Options {
  /** Run every step again, and record the results. */
  readonly noCache?: boolean;
  /** Ask again what names mean. */
  readonly refresh?: boolean;
}

export interface BuildResult {
  readonly built: number;
  readonly cached: number;
  readonly seconds: number;
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
  readonly startedAt: string | undefined;
}

export interface Status {
  readonly environmentId: string;
  readonly state: 'absent' | 'running' | 'stopped';
  readonly stale: boolean;
  readonly changes: readonly Change[];
  readonly environment: Environment | undefined;
}

export interface CommandOptions extends Options {
  readonly command: readonly string[];
  readonly extraEnv?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workdir?: string;
  /** undefined: a terminal when stdin and stdout are terminals. */
  readonly terminal?: boolean;
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

// Each operation loads what it needs when it is called: entering a container must not pay for building one.

export async function up(options: BuildOptions): Promise<UpResult> {
  return (await import('./up.ts')).up(options);
}

export async function build(options: BuildOptions): Promise<BuildResult> {
  return (await import('./up.ts')).buildOnly(options);
}

/** Changes nothing. */
export async function plan(options: BuildOptions): Promise<Plan> {
  return (await import('./overview.ts')).plan(options);
}

/** Without `step`: every step. `step` is a number from 1 or a name. @throws UserError UNKNOWN_STEP */
export async function why(options: BuildOptions & { readonly step?: string }): Promise<readonly Explanation[]> {
  return (await import('./overview.ts')).why(options);
}

/** Runs a command in the running environment on our own descriptors. @throws UserError NOT_RUNNING, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE */
export async function exec(options: CommandOptions): Promise<Exit> {
  return (await import('./enter.ts')).exec(options);
}

/** An interactive login shell of the environment's user. */
export async function shell(options: Omit<CommandOptions, 'command'>): Promise<Exit> {
  return (await import('./enter.ts')).shell(options);
}

/** A new container of the environment for one command, removed afterwards. */
export async function run(options: CommandOptions & BuildOptions): Promise<Exit> {
  return (await import('./run-once.ts')).runOnce(options);
}

/** Idempotent: afterwards the environment does not run; what was changed in it is kept. */
export async function stop(options: Options): Promise<Status> {
  return (await import('./overview.ts')).stop(options);
}

/** Idempotent: afterwards nothing of the environment is here but its layers, and its volumes unless `volumes`. */
export async function down(options: Options & { readonly volumes?: boolean }): Promise<Status> {
  return (await import('./overview.ts')).down(options);
}

/** All environments of this user on this machine. */
export async function ps(options: Options): Promise<readonly Environment[]> {
  return (await import('./overview.ts')).ps(options);
}

export async function status(options: Options): Promise<Status> {
  return (await import('./overview.ts')).status(options);
}

export async function doctor(options: Options): Promise<Diagnosis> {
  return (await import('./overview.ts')).doctor(options);
}

/** Writes a devenv.json that suits the repository in cwd. @throws UserError CONFIG_EXISTS, NOT_WRITABLE; with `from` what the registry says */
export async function init(options: Options & InitWishes): Promise<InitResult> {
  const [work, { openRegistry }] = await Promise.all([import('./init/init.ts'), import('./open-tools.ts')]);
  return work.init(options, () => openRegistry(options));
}

/** The merged, checked file and where each value comes from. @throws UserError CONFIG_NOT_FOUND, CONFIG_INVALID */
export async function describeConfig(options: Options): Promise<ConfigDescription> {
  return (await import('./config/explain-config.ts')).explainConfig(options);
}
