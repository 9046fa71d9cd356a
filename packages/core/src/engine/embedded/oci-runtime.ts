import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../../base/directories.ts';
import { UserError } from '../../base/errors.ts';
import { run, type RunResult } from '../../base/processes.ts';
import { enterMountNamespace, mount, SystemCallError } from '../../base/system-calls.ts';
import { isInsideContainer, openReadonlyMounts, outerContainerFix } from './outer-container.ts';
import { runtimeArguments, runtimeEnvironment, type OciRuntime } from './runtime-call.ts';

export function runtimeRoot(directories: Directories): string {
  return join(directories.runtime, 'crun');
}

/** Runs the runtime to its end. Not for `create` or `run -d`: what they start would keep our pipes open. */
export function callRuntime(runtime: OciRuntime, ...args: string[]): Promise<RunResult> {
  enterEngineNamespace();
  return run(runtime.program, runtimeArguments(runtime, ...args), { env: runtimeEnvironment });
}

/** Idempotent: afterwards the runtime knows no such container and none of its processes runs. */
export async function deleteFromRuntime(runtime: OciRuntime, id: string): Promise<void> {
  const { exitCode, stderr } = await callRuntime(runtime, 'delete', '--force', id);
  if (exitCode !== 0 && !/does not exist|no such file/i.test(stderr)) {
    throw new UserError('RUNTIME_FAILED', `the OCI runtime could not delete ${id}: ${stderr.trim()}`);
  }
  rmSync(join(runtime.root, id), { recursive: true, force: true }); // what another runtime wrote there
}

let entered = false;

/**
 * The engine's mount namespace: whatever is mounted in it ends with its last process. On a host with both versions of
 * control groups the second one is covered here: crun refuses such hosts, and it leaves its directories in the cover.
 */
export function enterEngineNamespace(): void {
  if (entered) return;
  try {
    enterMountNamespace();
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.code !== 'EPERM') throw error;
    throw new UserError('ENGINE_UNAVAILABLE', 'Namespaces cannot be made here.', {
      hint: isInsideContainer() ? outerContainerFix : 'devenv doctor says what is missing',
      cause: error,
    });
  }
  openReadonlyMounts();
  if (isHybrid()) mount('none', '/sys/fs/cgroup/unified', 'tmpfs', 0, 'mode=755,size=1m');
  entered = true;
}

let hybrid: boolean | undefined;

/** Whether the host has both versions of control groups mounted; asked before the second one is covered. */
export function isHybrid(): boolean {
  return (hybrid ??= findHybrid());
}

function findHybrid(): boolean {
  const cgroup2 = 0x63677270; // CGROUP2_SUPER_MAGIC
  try {
    return statfsSync('/sys/fs/cgroup').type !== cgroup2 && statfsSync('/sys/fs/cgroup/unified').type === cgroup2;
  } catch {
    return false;
  }
}

export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
}
