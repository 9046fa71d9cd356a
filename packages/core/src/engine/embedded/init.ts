import { chmodSync, constants, copyFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../base/errors.ts';
import { findProgram } from './programs.ts';

/** Where distributions put the init that podman uses. */
const places = ['/usr/libexec/podman/catatonit', '/usr/libexec/catatonit/catatonit', '/usr/lib/podman/catatonit'];

/** Where a container finds its init. */
export const initPath = '/run/devenv/init';

/** The program that is the first process of every container: it passes signals on, reaps what is orphaned and ends at TERM. */
export function initProgram(): string | undefined {
  return findProgram('catatonit') ?? places.find((path) => existsSync(path));
}

/** Puts the init into a folder that is shown at /run/devenv. @throws UserError TOOL_MISSING */
export function installInit(folder: string): void {
  const found = initProgram();
  if (!found)
    throw new UserError('TOOL_MISSING', 'catatonit is not installed: it is the first process of every container', {
      hint: 'apt-get install catatonit',
    });
  const target = join(folder, 'init');
  copyFileSync(found, target, constants.COPYFILE_FICLONE);
  chmodSync(target, 0o755);
}
