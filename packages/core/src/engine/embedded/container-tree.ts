import { readFileSync } from 'node:fs';
import type { StartContext } from './start-container.ts';
import { lowerDirectories, mountRoot, storageOf } from './start-container.ts';
import { UserError } from '../../base/errors.ts';
import { containerFiles, readProcesses, readRecord, type ContainerRecord } from './container-files.ts';
import { isAlive } from './living-process.ts';
import { enterEngineNamespace } from './oci-runtime.ts';
import { detachAll, isMounted } from './overlay.ts';

/** A container's tree, shown to this process. Disposed: not any more. */
export interface ShownTree extends AsyncDisposable {
  readonly root: string;
  readonly record: ContainerRecord;
  /** Relative to the root: what the container has mounted there is seen, too. */
  readonly mounted: ReadonlySet<string>;
}

/** The tree as the container sees it while it runs; else mounted for us alone. The caller holds the container. */
export async function showTree(directory: string, context: StartContext): Promise<ShownTree> {
  const record = readRecord(directory);
  if (!record) throw new UserError('NOT_RUNNING', 'The container does not exist any more.');
  const init = readProcesses(directory)?.init;
  if (init && isAlive(init)) {
    return { root: `/proc/${init.pid}/root`, record, mounted: mountedIn(init.pid), [Symbol.asyncDispose]: async () => {} };
  }
  const files = containerFiles(directory);
  enterEngineNamespace();
  const wasShown = isMounted(files.rootfs);
  if (!wasShown) await mountRoot(files, await lowerDirectories(context, record), storageOf(record, context));
  return {
    root: files.rootfs,
    record,
    mounted: new Set(),
    async [Symbol.asyncDispose]() {
      if (wasShown) return;
      detachAll(files.rootfs);
      await storageOf(record, context).release(files);
    },
  };
}

/** proc_pid_mountinfo(5): field 5, relative to the process's own root, with octal escapes. */
function mountedIn(pid: number): ReadonlySet<string> {
  const points = readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .flatMap((line) => line.split(' ')[4] ?? [])
    .map((path) => path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
  return new Set(points.map((path) => path.slice(1)).filter((path) => path !== ''));
}
