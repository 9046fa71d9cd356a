import type { Directories } from '../../base/directories.ts';
import { runtimeRoot } from './oci-runtime.ts';
import type { OciRuntime } from './runtime-call.ts';

export function chooseRuntime(directories: Directories, wanted: string | undefined): () => Promise<OciRuntime> {
  return async () => ({ program: wanted ?? '/usr/bin/crun', root: runtimeRoot(directories) });
}
