import { start, type ChildProcess } from '../base/processes.ts';

/**
 * devenv itself, as a program: the host of the editor stays an ordinary process of the user, while commands on environments go
 * on as root of the user's namespace.
 */
export interface DevenvProgram {
  readonly command: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** With pipes; stderr is ours unless `quiet`. A session of its own: Ctrl-C at our terminal is passed on by us. */
export function startDevenv(program: DevenvProgram, args: readonly string[], stderr: 'pipe' | 'inherit'): ChildProcess {
  const { command, env, cwd } = program;
  return start(command, args, { stdio: ['pipe', 'pipe', stderr], env, cwd, detached: true });
}
