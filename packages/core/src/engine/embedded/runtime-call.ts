import { basename } from 'node:path';
import { delegatedGroup } from './delegated-group.ts';

/** An OCI runtime and the directory of its state. */
export interface OciRuntime {
  /** Absolute path of the program. */
  readonly program: string;
  readonly root: string;
}

/** The environment that a runtime sees: nothing of the user's, and never the container's. */
export const runtimeEnvironment: Readonly<Record<string, string>> = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  XDG_RUNTIME_DIR: '/run',
};

export function runtimeArguments(runtime: OciRuntime, ...args: string[]): string[] {
  return ['--root', runtime.root, ...withoutGroups(runtime), ...args];
}

/** runc finds out by itself; crun has to be told. */
function withoutGroups(runtime: OciRuntime): string[] {
  return basename(runtime.program) === 'crun' && delegatedGroup() === undefined ? ['--cgroup-manager=disabled'] : [];
}
