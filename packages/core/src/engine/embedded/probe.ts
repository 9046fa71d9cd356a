import type { Directories } from '../../base/directories.ts';
import type { Features } from '../engine.ts';

export async function probeHost(_directories: Directories, _runtime: string | undefined): Promise<Features> {
  return { works: true, probes: [] };
}
