import type {
  BridgeOptions,
  BuildOptions,
  BuildResult,
  CollectOptions,
  Collection,
  CodeHost,
  CodeOptions,
  CodeWindow,
  CommandOptions,
  Diagnosis,
  DiskUsage,
  Environment,
  Exit,
  Explanation,
  LockOptions,
  LockResult,
  Logs,
  Options,
  ResourceUse,
  Status,
  UpOptions,
  UpResult,
  StoreVerdict,
  VerifyOptions,
} from './contract.ts';
import type { ConfigDescription } from './config/explain-config.ts';
import type { InitResult, InitWishes } from './init/init.ts';
import type { LogOptions } from './engine/engine.ts';
import type { Plan } from './plan/plan.ts';
import type { VerifyResult } from './verify.ts';
import type { WatchOptions } from './watch.ts';
import { atDisk } from './at-disk.ts';

export type * from './contract.ts';
export type * from './verify.ts';

// Each operation loads what it needs when it is called: entering a container must not pay for building one.

export async function up(options: UpOptions): Promise<UpResult> {
  return atDisk(options, async () => (await import('./up.ts')).up(options));
}

/** Keeps the environment in line with its file and the inputs of its steps until the signal aborts. */
export async function watch(options: WatchOptions): Promise<void> {
  return atDisk(options, async () => (await import('./watch.ts')).watch(options));
}

export async function build(options: BuildOptions): Promise<BuildResult> {
  return atDisk(options, async () => (await import('./up.ts')).buildOnly(options));
}

/** Whether building into an empty store, ignoring every cache, gives the same layers again. */
export async function verify(options: Options): Promise<VerifyResult> {
  return atDisk(options, async () => (await import('./verify.ts')).verify(options));
}

/** Writes devenv-lock.json. @throws UserError LOCK_INVALID, PACKAGE_UNAVAILABLE, DIGEST_MISMATCH, UNKNOWN_STEP and those of `build` */
export async function lock(options: LockOptions): Promise<LockResult> {
  return atDisk(options, async () => (await import('./lock-environment.ts')).lockEnvironment(options));
}

/** Changes nothing. */
export async function plan(options: BuildOptions): Promise<Plan> {
  return atDisk(options, async () => (await import('./overview.ts')).plan(options));
}

/** Without `step`: every step. `step` is a number from 1 or a name. @throws UserError UNKNOWN_STEP */
export async function why(options: BuildOptions & { readonly step?: string }): Promise<readonly Explanation[]> {
  return atDisk(options, async () => (await import('./overview.ts')).why(options));
}

/** Runs a command in the running environment on our own descriptors. @throws UserError NOT_RUNNING, COMMAND_NOT_FOUND, COMMAND_NOT_EXECUTABLE */
export async function exec(options: CommandOptions): Promise<Exit> {
  return atDisk(options, async () => (await import('./enter.ts')).exec(options));
}

/** An interactive login shell of the environment's user. */
export async function shell(options: Omit<CommandOptions, 'command'>): Promise<Exit> {
  return atDisk(options, async () => (await import('./enter.ts')).shell(options));
}

/** A new container of the environment for one command, removed afterwards. */
export async function run(options: CommandOptions & BuildOptions): Promise<Exit> {
  return atDisk(options, async () => (await import('./run-once.ts')).runOnce(options));
}

/** Idempotent: afterwards the environment does not run; what was changed in it is kept. */
export async function stop(options: Options): Promise<Status> {
  return atDisk(options, async () => (await import('./overview.ts')).stop(options));
}

/** Idempotent: afterwards nothing of the environment is here but its layers, and its volumes unless `volumes`. */
export async function down(options: Options & { readonly volumes?: boolean }): Promise<Status> {
  return atDisk(options, async () => (await import('./overview.ts')).down(options));
}

/** What the command of the environment's container has written. @throws UserError NOT_RUNNING when there is no environment */
export async function logs(options: Options & LogOptions): Promise<Logs> {
  return atDisk(options, async () => (await import('./logs.ts')).logs(options));
}

/** All environments of this user on this machine. */
export async function ps(options: Options): Promise<readonly Environment[]> {
  return atDisk(options, async () => (await import('./overview.ts')).ps(options));
}

export async function status(options: Options): Promise<Status> {
  return atDisk(options, async () => (await import('./overview.ts')).status(options));
}

/** Removes what nothing needs: layers, caches, logs, what killed commands left. Running commands go on. @throws UserError USAGE */
export async function collect(options: CollectOptions): Promise<Collection> {
  return atDisk(options, async () => (await import('./collect.ts')).collect(options));
}

/** What environments, images and caches take on the disk, and what `collect` would free. */
export async function diskUsage(options: Options): Promise<DiskUsage> {
  return atDisk(options, async () => (await import('./disk-usage.ts')).diskUsage(options));
}

/** What the running environments use, again and again until the reader ends or the signal aborts: the first time after half a second. */
export async function* resourceUse(options: Options): AsyncGenerator<readonly ResourceUse[]> {
  yield* (await import('./resource-use.ts')).resourceUse(options);
}

/** Whether every layer, reference and key of the store is as it was written. */
export async function verifyStore(options: VerifyOptions): Promise<StoreVerdict> {
  return atDisk(options, async () => (await import('./verify-store.ts')).verifyStore(options));
}

export async function doctor(options: Options): Promise<Diagnosis> {
  return (await import('./overview.ts')).doctor(options);
}

/**
 * The engine works as root. For a normal user this goes on with the same command line as root of a user namespace of their
 * own, and does not return; for root it does nothing. To be called before anything is read or written.
 * @throws UserError ENGINE_UNAVAILABLE, TOOL_MISSING
 */
export async function becomeMappedRoot(options: Pick<Options, 'env'>): Promise<void> {
  if (process.getuid?.() !== 0) await atDisk(options, async () => (await import('./open-tools.ts')).becomeMappedRoot(options));
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

/** Opens the environment in an editor of the desktop that can, else serves one on loopback until disposed, for the environment or the folder. To be called by the user themself, not as mapped root. */
export async function code(options: CodeOptions): Promise<CodeHost | CodeWindow> {
  return atDisk(options, async () => (await import('./code.ts')).code(options));
}

/** Connects our stdin and stdout to the editor's server in a running environment (docs/editors.md). @throws UserError NOT_RUNNING, EDITOR_FAILED */
export async function bridge(options: BridgeOptions): Promise<void> {
  return atDisk(options, async () => (await import('./bridge.ts')).bridge(options));
}
