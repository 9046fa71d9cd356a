import { existsSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { sha256 } from '../../base/canonical-json.ts';
import { readJson, writeFileAtomically } from '../../base/files.ts';
import type { OciRuntime } from './runtime-call.ts';
import type { SeccompFilter } from './seccomp.ts';

/** A filter of system calls as the kernel takes it, when this machine's runtime has made it before. */
export interface CompiledFilter {
  /** For the runtime's config: then it need not make it again. */
  readonly annotations: Readonly<Record<string, string>>;
  /** To be called while the container is there: keeps what the runtime made for it. False when that is not complete yet. Never throws. */
  keep(containerId: string): boolean;
}

/**
 * Making the filter takes crun a third of the time in which it starts a container; its annotation `run.oci.seccomp_bpf_data` (crun(1))
 * spares it that. What it made is in the container's state, written before its status. Kept beside that, so it ends with the machine's run.
 */
export function compiledFilter(filter: SeccompFilter | undefined, runtime: OciRuntime): CompiledFilter {
  if (!filter || basename(runtime.program) !== 'crun') return { annotations: {}, keep: () => true };
  const { size, mtimeMs } = statSync(runtime.program);
  const key = sha256(JSON.stringify([filter, process.arch, release(), runtime.program, size, mtimeMs]));
  const path = join(dirname(runtime.root), 'filters', `${key}.json`);
  const known = readFilter(path);
  return {
    annotations: known === undefined ? {} : { 'run.oci.seccomp_bpf_data': known },
    keep(id) {
      if (known !== undefined) return true;
      const state = join(runtime.root, id);
      if (!existsSync(join(state, 'status'))) return false;
      try {
        const program = readFileSync(join(state, 'seccomp.bpf')).toString('base64');
        if (program !== '') writeFileAtomically(path, JSON.stringify({ program, sha256: sha256(program) } satisfies KeptFilter));
      } catch {
        // the container is gone already, or the disk is full: that only costs the gain
      }
      return true;
    },
  };
}

interface KeptFilter {
  /** An array of struct sock_filter, in base64. */
  readonly program: string;
  readonly sha256: string;
}

/** A damaged one is none: the kernel would refuse it, and with it every container. */
function readFilter(path: string): string | undefined {
  const kept = readJson<Partial<KeptFilter>>(path);
  return typeof kept?.program === 'string' && kept.sha256 === sha256(kept.program) ? kept.program : undefined;
}
