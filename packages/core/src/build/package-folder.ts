import { randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockFolderNow, makeLockedFolder } from '../base/locks.ts';
import type { LockedInstall } from '../lock/lock.ts';
import type { BuildTools } from './build-tools.ts';

/** Where a step finds the packages that are locked for it. Not below /run/devenv, which is mounted over it. */
export const packagesPath = '/run-devenv-packages';

/** A folder with exactly these packages. Disposed: it is gone. */
export interface PackageFolder extends Disposable {
  readonly path: string;
}

/** @throws UserError PACKAGE_UNAVAILABLE, DIGEST_MISMATCH, OFFLINE */
export async function makePackageFolder(
  { packages = {}, archiveTime }: LockedInstall,
  tools: Pick<BuildTools, 'packages' | 'signal'>,
): Promise<PackageFolder> {
  const files: string[] = [];
  const wanted = Object.entries(packages);
  // Four at a time, as apt's archives like it; all are here before anything is installed.
  for (let index = 0; index < wanted.length; index += 4) {
    const found = wanted
      .slice(index, index + 4)
      .map(async ([name, entry]) => (await tools.packages.fetch({ name, ...entry }, archiveTime, tools.signal)).path);
    files.push(...(await Promise.all(found)));
  }
  const parent = join(tools.packages.folder, 'of-steps');
  if (existsSync(parent)) for (const name of readdirSync(parent)) removeWhenLeft(join(parent, name));
  const folder = makeLockedFolder(() => join(parent, randomBytes(5).toString('hex')));
  const { path } = folder;
  const remove = (): void => {
    rmSync(path, { recursive: true, force: true });
    folder[Symbol.dispose]();
  };
  try {
    chmodSync(path, 0o755); // apt reads as another user
    for (const file of files) {
      const copy = join(path, file.slice(file.lastIndexOf('/') + 1));
      copyFileSync(file, copy); // not a link: what a step could change would be what others install
      chmodSync(copy, 0o644);
    }
    writeReadable(join(path, 'apt.conf'), aptConfiguration);
    writeReadable(join(path, 'sources.list'), `deb [trusted=yes] file:${packagesPath} ./\n`);
    return { path, [Symbol.dispose]: remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** By everybody inside, whatever our umask: a step may ask apt as another user. */
function writeReadable(path: string, text: string): void {
  writeFileSync(path, text);
  chmodSync(path, 0o644);
}

/** What a command that was killed left. */
function removeWhenLeft(path: string): void {
  using held = lockFolderNow(path);
  if (held) rmSync(path, { recursive: true, force: true });
}

/** apt.conf(5): nothing of the image's own sources is asked. */
const aptConfiguration = `Dir::Etc::sourcelist "${packagesPath}/sources.list";
Dir::Etc::sourceparts "/dev/null";
`;

/**
 * Makes the index of a folder of packages, run in it, with dpkg's own tools: "$1" is the suite, "$2" the priority of them all. Sorted, so that it is the same
 * on every machine.
 */
export const indexScript = `set -e
export LC_ALL=C
for file in *.deb; do
  [ -e "$file" ] || continue
  dpkg-deb -f "$file" | sed '/^Priority:/d'
  echo "Priority: $2"
  printf 'Filename: ./%s\\nSize: %s\\nSHA256: %s\\n\\n' "$file" "$(stat -c %s "$file")" "\${file%.deb}"
done > Packages
hash=$(sha256sum Packages)
printf 'Suite: %s\\nCodename: %s\\nDate: Thu, 01 Jan 2026 00:00:00 UTC\\nSHA256:\\n %s %s Packages\\n' "$1" "$1" "\${hash%% *}" "$(stat -c %s Packages)" > Release
`;
