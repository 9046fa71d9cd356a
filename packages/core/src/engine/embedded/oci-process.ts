import { readFileSync } from 'node:fs';
import { idMapping } from '../../base/user-namespace.ts';
import type { SecurityLabels } from './security-labels.ts';
import type { User } from './user.ts';

/** process of the runtime-spec (config.md#process). */
export interface OciProcess extends SecurityLabels {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[]; readonly umask: number };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient', readonly string[]>>;
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly { readonly type: string; readonly soft: number; readonly hard: number }[];
}

export interface ProcessOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user: User;
  readonly workdir: string;
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  /** Default: none. */
  readonly terminal?: boolean;
  readonly labels?: SecurityLabels;
}

export function ociProcess(options: ProcessOptions): OciProcess {
  const { uid, gid, additionalGids } = options.user;
  return {
    terminal: options.terminal ?? false,
    user: { uid, gid, additionalGids: idMapping().kind === 'single' ? [] : [gid, ...additionalGids], umask: 0o022 },
    args: options.args,
    env: Object.entries(options.env).map(([name, value]) => `${name}=${value}`),
    cwd: options.workdir,
    capabilities: processCapabilities(options.capabilities, uid),
    noNewPrivileges: options.noNewPrivileges,
    rlimits: [openFiles()],
    ...options.labels,
  };
}

/** As Docker: root holds them, another user can only regain them through set-uid programs and file capabilities. */
export function processCapabilities(bounding: readonly string[], uid: number): OciProcess['capabilities'] {
  const held = uid === 0 ? bounding : [];
  return { bounding, effective: held, permitted: held, inheritable: [], ambient: [] };
}

/** Many for watchers and servers; never above our own hard limit, which needs CAP_SYS_RESOURCE to be raised. */
function openFiles(): OciProcess['rlimits'][number] {
  const text = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  const hard = Math.min(text === undefined || text === 'unlimited' ? Infinity : Number(text), 1048576); // 1048576: as Docker
  return { type: 'RLIMIT_NOFILE', soft: Math.min(hard, 65536), hard };
}
