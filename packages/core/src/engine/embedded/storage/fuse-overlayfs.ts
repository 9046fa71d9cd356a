import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Directories } from '../../../base/directories.ts';
import { UserError } from '../../../base/errors.ts';
import { readJson, readText } from '../../../base/files.ts';
import { start } from '../../../base/processes.ts';
import { mount } from '../../../base/system-calls.ts';
import { writeJson } from '../container-files.ts';
import { identify, isAlive, signalProcess, type LivingProcess } from '../living-process.ts';
import { detachAll, mountPoints } from '../overlay.ts';
import { findProgram } from '../programs.ts';
import { runtimeEnvironment } from '../runtime-call.ts';
import { canonicalWhiteouts } from './canonical-whiteouts.ts';
import { namesWithin } from './names-within.ts';
import type { StorageDriver, Tree, Writable } from './storage-driver.ts';
import { tryDriver } from './trial.ts';

/**
 * A program serves the tree, one for each. It is handed an open connection of a mount that we made ourselves, and lives in a
 * mount namespace without that mount: so it ends by itself when nobody shows the tree any more, and no command has to wait.
 */
export function fuseOverlayfsDriver(directories: Directories): StorageDriver {
  const driver: StorageDriver = {
    name: 'fuse-overlayfs',
    async probe(folder) {
      if (findProgram(program) === undefined) return { ok: false, answer: 'not installed', fix: 'apt-get install fuse-overlayfs' };
      try {
        closeSync(openSync(device, 'r+'));
      } catch (error) {
        return {
          ok: false,
          answer: `${device} cannot be opened (${(error as NodeJS.ErrnoException).code})`,
          fix: 'modprobe fuse; chmod 666 /dev/fuse',
        };
      }
      return tryDriver(driver, folder);
    },
    async mount(tree) {
      await endServer(tree); // it may still be writing what the former mount of this tree left
      serve(tree, directories);
    },
    async collect(tree) {
      await untilEnded(tree);
      canonicalWhiteouts(tree.upper);
    },
    hiddenBytes: () => 0,
    isServed: (writable) => isAlive(serverOf(writable)),
    release: endServer,
    async reap() {},
  };
  return driver;
}

const program = 'fuse-overlayfs';
const device = '/dev/fuse';

function serve(tree: Tree, directories: Directories): void {
  const { target, upper, work, volatile } = tree;
  const own = join(work, 'work');
  const log = join(work, 'log');
  const { folder, names } = namesWithin(tree.layers.length > 0 ? tree.layers : [target]);
  const options = [
    `lowerdir=${names.map(escape).join(':')}`,
    `upperdir=${escape(upper)}`,
    `workdir=${escape(own)}`,
    ...(volatile ? ['volatile'] : []),
  ].join(',');
  mkdirSync(own, { recursive: true, mode: 0o700 });
  const connection = openSync(device, 'r+');
  const errors = openSync(log, 'w', 0o600);
  try {
    const elsewhere = mountPoints().filter((point) =>
      [directories.data, directories.runtime].some((place) => point.startsWith(`${place}/`)),
    );
    mount(program, target, `fuse.${program}`, 0, `fd=${connection},rootmode=40000,user_id=0,group_id=0,allow_other,default_permissions`);
    // What is mounted for others would live as long as this program.
    const script = 'options=$1; shift; for point; do umount -l "$point"; done 2>/dev/null; exec fuse-overlayfs -f -o "$options" /dev/fd/3';
    const server = start(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', options, target, ...elsewhere.toReversed()],
      {
        stdio: ['ignore', errors, errors, connection],
        env: runtimeEnvironment,
        detached: true,
        cwd: folder,
      },
    );
    server.on('error', () => {}); // told below: nobody answers
    server.unref();
    if (server.pid !== undefined) writeJson(recordOf(tree), identify(server.pid));
  } finally {
    closeSync(connection);
    closeSync(errors);
  }
  try {
    statSync(target); // answered when it is ready, refused when it has ended
  } catch (error) {
    detachAll(target);
    const reason = (readText(log) ?? '').trim() || (error as Error).message;
    throw new UserError('RUNTIME_FAILED', `fuse-overlayfs does not show a tree: ${reason}`, {
      hint: 'devenv doctor shows what else works',
      cause: error,
    });
  }
}

function recordOf({ work }: Writable): string {
  return join(work, 'server.json');
}

function serverOf(writable: Writable): LivingProcess | undefined {
  return readJson<LivingProcess>(recordOf(writable));
}

/** Everything is in `upper` when it has ended: the mount is gone, so it does as soon as it has written it. */
async function untilEnded(writable: Writable): Promise<void> {
  const server = serverOf(writable);
  const end = performance.now() + 60_000;
  while (isAlive(server)) {
    if (performance.now() > end) throw new Error(`fuse-overlayfs (process ${server!.pid}) does not end`);
    await delay(2);
  }
}

async function endServer(writable: Writable): Promise<void> {
  const server = serverOf(writable);
  signalProcess(server, 'SIGTERM');
  for (let waited = 0; isAlive(server); waited++) {
    if (waited === 1000) signalProcess(server, 'SIGKILL');
    await delay(2);
  }
  rmSync(recordOf(writable), { force: true });
}

/** fuse_opt_parse(3): a comma ends an option; fuse-overlayfs: a colon ends a directory. */
function escape(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(',', '\\,').replaceAll(':', '\\:');
}
