import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { lock } from '../packages/core/src/base/locks.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** A normal user cannot write into a checkout that belongs to root. */
const cache = process.env['DEVENV_TEST_CACHE'] ?? join(root, '.cache');

/** The command as users start it. */
export const launcher: string = join(root, 'packages/cli/bin/devenv');

/**
 * Before all end-to-end tests: a data directory whose store has the Debian base and nothing else. Fetching and unpacking
 * Debian takes most of a minute, so it is kept as long as the code that makes it.
 */
export default async function makeSeed(): Promise<void> {
  const folder = seedFolder();
  using _lock = await lock(join(cache, 'e2e.lock'));
  if (existsSync(folder)) return;
  const parent = dirname(folder);
  if (existsSync(parent)) for (const old of readdirSync(parent)) rmSync(join(parent, old), { recursive: true, force: true });
  mkdirSync(parent, { recursive: true });
  const making = mkdtempSync(join(parent, 'making-'));
  const project = join(making, 'project');
  mkdirSync(project);
  writeFileSync(join(project, 'devenv.json'), JSON.stringify({ image: { debian: 'bookworm' } }));
  await promisify(execFile)(launcher, ['build'], {
    cwd: project,
    env: { PATH: process.env['PATH'], HOME: making, DEVENV_BASE_DIR: making },
  });
  rmSync(project, { recursive: true });
  renameSync(making, folder);
}

/** Where the seed of this version of the code is. */
export function seedFolder(): string {
  const hash = createHash('sha256');
  const sources = [
    'packages/core/src/store/{disk-store,file-list,normalise}.ts',
    'packages/core/src/build/debian-base.ts',
    'packages/core/src/oci/step-key.ts',
  ];
  for (const path of globSync(sources, { cwd: root }).toSorted()) hash.update(readFileSync(join(root, path)));
  return join(cache, 'e2e', `seed-${hash.digest('hex').slice(0, 16)}`);
}

/** The Node binary of the workspace, to be put into images. */
export function workspaceNode(): string {
  return realpathSync(join(root, 'node_modules/node/bin/node'));
}

/** npm as it came with the machine's Node. */
export function npmFolder(): string {
  return join(execFileSync('npm', ['root', '--global'], { encoding: 'utf8' }).trim(), 'npm');
}
