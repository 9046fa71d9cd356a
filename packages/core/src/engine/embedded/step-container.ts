import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { diskFull, hasNoSpace } from '../../base/disk-trouble.ts';
import { UserError } from '../../base/errors.ts';
import { readText } from '../../base/files.ts';
import { exitCodeOf, run, start } from '../../base/processes.ts';
import { mount, SystemCallError } from '../../base/system-calls.ts';
import type { StepProcess } from '../engine.ts';
import { defaultCapabilities } from './capabilities.ts';
import { removeCgroup } from './cgroup.ts';
import { checkCommand } from './command.ts';
import { compiledFilter, type CompiledFilter } from './compiled-filter.ts';
import { cgroupPath, writeJson } from './container-files.ts';
import { hostLabels } from './host-labels.ts';
import { initPath } from './init.ts';
import { makeMountPoint } from './mount-point.ts';
import { writeNetworkFiles } from './network.ts';
import { deleteFromRuntime, makePrivateDirectory } from './oci-runtime.ts';
import { ociProcess } from './oci-process.ts';
import { detachAll } from './overlay.ts';
import { openPipe, type Pipe } from './pipe.ts';
import { runtimeArguments, runtimeEnvironment } from './runtime-call.ts';
import { runtimeConfig, usualMountPoints, type OciMount } from './runtime-config.ts';
import { seccompFilter } from './seccomp.ts';
import { find } from './tree.ts';
import { asHeld, lookUpUser, type User } from './user.ts';
import type { WorkbenchContext } from './workbench-context.ts';

export interface StepContext extends WorkbenchContext {
  readonly id: string;
  /** The mounted tree. */
  readonly tree: string;
  /** Hears each mount point that had to be made. */
  readonly onMade: (path: string) => void;
}

const hostname = 'devenv-build'; // a name of this machine could get into a layer

/**
 * Runs a process on the tree in a container of its own, in the foreground: no conmon. Whatever happens, nothing of
 * the container is left. @throws UserError BAD_VALUE, RUNTIME_FAILED, CANCELLED
 */
export async function runStep(
  step: StepProcess,
  context: StepContext,
): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }> {
  throwIfCancelled(step.signal);
  const user = asHeld(lookUpUser(context.tree, step.user));
  using workdir = find(context.tree, step.workdir, { create: { uid: user.uid, gid: user.gid, mode: 0o755 } });
  if (!workdir?.stats.isDirectory()) throw new UserError('BAD_VALUE', `the working directory ${step.workdir} is no directory in the image`);
  const problem = commandProblem(step, context, user);
  if (problem) {
    step.onOutput(Buffer.from(`devenv: ${problem.message}\n`));
    return { exitCode: problem.exitCode, oomKilled: false };
  }
  const bundle = join(context.directory, context.id);
  const cgroup = cgroupPath(context.directories, context.id);
  makePrivateDirectory(bundle);
  try {
    const mounts = prepareStepMounts(step, context, bundle, user);
    const env = { HOME: user.home, ...step.env };
    const process = ociProcess({
      args: [initPath, '--', ...step.args], // a process that is the first one itself would not feel its own signals
      env,
      user,
      workdir: step.workdir,
      capabilities: defaultCapabilities,
      noNewPrivileges: false,
      labels: await hostLabels(context.directories.data, { id: context.id, privileged: false }),
    });
    const seccomp = seccompFilter('default', process.capabilities.bounding);
    const compiled = compiledFilter(seccomp, context.runtime);
    const config = runtimeConfig({
      process, rootfs: context.tree, readonlyRoot: false, hostname, mounts, cgroup, limits: {}, privileged: false,
      network: await context.network(step.network),
      seccomp, annotations: compiled.annotations,
    }); // prettier-ignore
    writeJson(join(bundle, 'config.json'), config);
    return await runInForeground(step, { ...context, compiled }, bundle, user);
  } finally {
    if (existsSync(join(context.runtime.root, context.id))) await deleteFromRuntime(context.runtime, context.id); // mostly it has done so itself
    await removeCgroup(cgroup);
    detachAll(bundle);
    rmSync(bundle, { recursive: true, force: true });
  }
}

function commandProblem(step: StepProcess, context: StepContext, user: User): UserError | undefined {
  try {
    checkCommand(step.args[0] ?? '', { root: context.tree, path: step.env['PATH'], workdir: step.workdir, user });
    return undefined;
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
}

async function runInForeground(
  step: StepProcess,
  context: StepContext & { readonly compiled: CompiledFilter },
  bundle: string,
  user: User,
): Promise<{ exitCode: number; oomKilled: boolean }> {
  const { runtime, id } = context;
  const log = join(bundle, 'runtime.log');
  const end = new AbortController();
  const onAbort = (): void => void killUntil(end.signal, context).catch(() => {}); // the step then ends by itself
  const before = machineOutOfMemoryCount();
  step.signal.addEventListener('abort', onAbort, { once: true });
  const keeping = keepFilter(context);
  try {
    const args = runtimeArguments(runtime, `--log=${log}`, 'run', '--bundle', bundle, id);
    const onKilled = (): Promise<void> => deleteFromRuntime(runtime, id);
    const exitCode = await runOnPipe(runtime.program, args, openPipe(join(bundle, 'output'), user), { onOutput: step.onOutput, onKilled });
    throwIfCancelled(step.signal);
    const failure = exitCode === 0 ? '' : (readText(log) ?? '').trim();
    if (failure && hasNoSpace(bundle)) throw diskFull(bundle);
    if (failure) throw new UserError('RUNTIME_FAILED', `the OCI runtime refused the step: ${failure.replace(/^\S+Z: /gm, '')}`);
    return { exitCode, oomKilled: exitCode === 137 && machineOutOfMemoryCount() > before };
  } finally {
    end.abort();
    clearInterval(keeping);
    step.signal.removeEventListener('abort', onAbort);
  }
}

/** While the container is there, which may be a moment only: when that is missed, the next step's is as good. */
function keepFilter({ compiled, id }: StepContext & { readonly compiled: CompiledFilter }): NodeJS.Timeout {
  const pause = 2; // ms
  const timer = setInterval(() => {
    if (compiled.keep(id)) clearInterval(timer);
  }, pause);
  return timer;
}

/**
 * Runs the program to its end and its output's; returns its exit code. What it runs may go on when it is killed itself, and
 * keep the pipe open: `onKilled` ends that. @throws UserError RUNTIME_FAILED when it was killed
 */
async function runOnPipe(
  program: string,
  args: readonly string[],
  pipe: Pipe,
  { onOutput, onKilled }: { readonly onOutput: (chunk: Buffer) => void; readonly onKilled: () => Promise<void> },
): Promise<number> {
  const child = start(program, args, { stdio: ['ignore', pipe.writer, pipe.writer], env: runtimeEnvironment });
  closeSync(pipe.writer);
  pipe.reader.on('data', onOutput);
  const drained = once(pipe.reader, 'close');
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (...end) => resolve(end));
  });
  if (signal) await onKilled();
  await drained;
  if (signal) throw new UserError('RUNTIME_FAILED', `the OCI runtime was ended by ${signal} while it ran the step`);
  return exitCodeOf(code, signal);
}

/** The container may not be there yet when we are told to end it: until it is, there is nothing to kill. */
async function killUntil(ended: AbortSignal, { runtime, id }: StepContext): Promise<void> {
  while (!ended.aborted) {
    await run(runtime.program, runtimeArguments(runtime, 'kill', id, 'KILL'), { env: runtimeEnvironment });
    await delay(20);
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new UserError('CANCELLED', 'stopped by the user', { cause: signal.reason });
}

/** A step has no limit of its own: it is the machine that runs out of memory, and counts the processes it ends for that. */
function machineOutOfMemoryCount(): number {
  return Number(/^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1] ?? 0);
}

function prepareStepMounts(step: StepProcess, context: StepContext, bundle: string, user: User): OciMount[] {
  const bind = (source: string, destination: string, ...options: string[]): OciMount => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'rprivate', ...options],
  });
  writeNetworkFiles(bundle, hostname);
  const files = ['hosts', 'resolv.conf'].map((name) => bind(join(bundle, name), `/etc/${name}`));
  const folders = step.caches.map(({ source, target, readonly }) => {
    makeCache(source, user);
    return bind(source, target, ...(readonly ? ['ro'] : []));
  });
  folders.push(bind(context.run, '/run/devenv', 'ro', 'nosuid', 'nodev'));
  if (step.secrets.length > 0) folders.push(bind(writeSecrets(step, join(bundle, 'secrets'), user), '/run/secrets', 'ro'));
  const { tree, onMade } = context;
  for (const path of usualMountPoints) makeMountPoint(tree, path, 'directory', { onMade });
  for (const { destination } of files) makeMountPoint(tree, destination, 'file', { onMade });
  for (const { destination } of folders) makeMountPoint(tree, destination, 'directory', { onMade });
  return [...files, ...folders];
}

/** The cache belongs to the user that the step runs as; what is in it keeps its owners. */
function makeCache(source: string, user: User): void {
  mkdirSync(dirname(source), { recursive: true, mode: 0o700 });
  using _folder = find('/', source, { create: { uid: user.uid, gid: user.gid, mode: 0o755 } });
}

/** On a tmpfs in our mount namespace: never on disk, and gone with us. */
function writeSecrets(step: StepProcess, folder: string, user: User): string {
  makePrivateDirectory(folder);
  mountSecretFolder(folder, `mode=0500,uid=${user.uid},gid=${user.gid},size=16m`);
  for (const { name, value } of step.secrets) {
    using file = find(folder, name, { create: { uid: user.uid, gid: user.gid, mode: 0o400, kind: 'file' } });
    if (!file || name.includes('/')) throw new UserError('BAD_VALUE', `a secret cannot be named ${JSON.stringify(name)}`);
    writeFileSync(file.magic, value);
  }
  return folder;
}

function mountSecretFolder(folder: string, options: string): void {
  try {
    mount('devenv-secrets', folder, 'tmpfs', 0, `${options},noswap`);
  } catch (error) {
    if (!(error instanceof SystemCallError && error.code === 'EINVAL')) throw error;
    mount('devenv-secrets', folder, 'tmpfs', 0, options); // `noswap` came with Linux 6.4
  }
}
