import { randomBytes } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Directories } from '../../../base/directories.ts';
import { unreachable, UserError } from '../../../base/errors.ts';
import type { Report } from '../../../base/events.ts';
import { readJson } from '../../../base/files.ts';
import { writeJson } from '../container-files.ts';
import { bootId } from '../living-process.ts';
import { enterEngineNamespace, makePrivateDirectory } from '../oci-runtime.ts';
import { isInsideContainer, isOverlay } from '../outer-container.ts';
import { detachAll } from '../overlay.ts';
import { btrfsDriver } from './btrfs.ts';
import { copyDriver } from './copy.ts';
import { fuseOverlayfsDriver } from './fuse-overlayfs.ts';
import { overlayDriver } from './overlay-driver.ts';
import { storageDriverNames, type StorageDriver, type StorageDriverName, type StorageFinding, type Writable } from './storage-driver.ts';

/** The drivers of one data directory. */
export interface Storage {
  /** For new trees. @throws UserError BAD_VALUE, RUNTIME_FAILED, with the reason of each */
  choose(): Promise<StorageDriver>;
  /** For a tree that was made by one. */
  named(name: StorageDriverName): StorageDriver;
  /** Ends what serves an unmounted tree, whichever driver made it. Idempotent. */
  release(writable: Writable): Promise<void>;
  reap(): Promise<void>;
}

/** The user's own choice, over what probing finds. */
export const storageVariable = 'DEVENV_STORAGE_DRIVER';

export interface StorageOptions {
  readonly directories: Directories;
  /** Name of the only driver that may be used. */
  readonly wanted: string | undefined;
  /** Better ones first; default: all. */
  readonly names?: readonly StorageDriverName[];
  readonly report: Report;
}

export function openStorage(options: StorageOptions): Storage {
  const drivers = new Map<StorageDriverName, StorageDriver>();
  const named = (name: StorageDriverName): StorageDriver => {
    const driver = drivers.get(name) ?? makeDriver(name, options.directories);
    drivers.set(name, driver);
    return driver;
  };
  let chosen: Promise<StorageDriver> | undefined;
  return {
    named,
    choose: () => (chosen ??= choose(options, named)),
    async release(writable) {
      for (const name of storageDriverNames) await named(name).release(writable);
    },
    async reap() {
      for (const name of storageDriverNames) await named(name).reap();
    },
  };
}

function makeDriver(name: StorageDriverName, directories: Directories): StorageDriver {
  switch (name) {
    case 'overlay':
      return overlayDriver();
    case 'btrfs':
      return btrfsDriver(directories);
    case 'fuse-overlayfs':
      return fuseOverlayfsDriver(directories);
    case 'copy':
      return copyDriver();
    default:
      return unreachable(name);
  }
}

/** What was found, good until the machine starts anew or the data directory lies elsewhere. */
interface Answer {
  readonly bootId: string;
  readonly device: number;
  readonly wanted: string | null;
  readonly name: StorageDriverName;
}

async function choose(options: StorageOptions, named: Storage['named']): Promise<StorageDriver> {
  const { directories, wanted, report } = options;
  const file = join(directories.runtime, 'storage-driver.json');
  makePrivateDirectory(directories.data);
  const now = { bootId: bootId(), device: statSync(directories.data).dev, wanted: wanted ?? null };
  const known = readJson<Answer>(file);
  if (known && known.bootId === now.bootId && known.device === now.device && known.wanted === now.wanted) return named(known.name);
  const { chosen, findings } = await probeStorage(options);
  if (!chosen)
    throw new UserError(
      'RUNTIME_FAILED',
      ['No storage driver works here.', ...findings.map(({ name, answer }) => `  ${name}  ${answer}`)].join('\n'),
      {
        hint: findings.find(({ fix }) => fix !== undefined)?.fix ?? 'devenv doctor shows more',
      },
    );
  writeJson(file, { ...now, name: chosen } satisfies Answer);
  if (findings.length > 1) tellWhyNot(findings[0]!, chosen, report);
  return named(chosen);
}

/** Tries drivers until one works. Nothing of it remains. @throws UserError BAD_VALUE for a name that is none */
export async function probeStorage({ directories, wanted, names = storageDriverNames }: Omit<StorageOptions, 'report'>): Promise<{
  readonly chosen: StorageDriverName | undefined;
  readonly findings: readonly (StorageFinding & { readonly name: StorageDriverName })[];
}> {
  const findings: (StorageFinding & { readonly name: StorageDriverName })[] = [];
  makePrivateDirectory(directories.data);
  if (isOverlay(directories.data)) return { chosen: undefined, findings: [{ name: 'overlay', ...onOverlay() }] };
  for (const name of wanted === undefined ? names : [checkName(wanted)]) {
    const finding = await inScratch(directories.data, (folder) => makeDriver(name, directories).probe(folder));
    findings.push({ name, ...finding });
    if (finding.ok) return { chosen: name, findings };
  }
  return { chosen: undefined, findings };
}

/** Whatever the driver: an overlay refuses the device that stands for a removed file, so it can hold no layers. */
function onOverlay(): StorageFinding {
  return {
    ok: false,
    answer: 'the data directory is on an overlay itself, which cannot hold layers',
    fix: isInsideContainer()
      ? 'set DEVENV_BASE_DIR to a volume or a tmpfs: docker run -v devenv:/devenv -e DEVENV_BASE_DIR=/devenv …'
      : 'set DEVENV_BASE_DIR to a folder on ext4, xfs, btrfs or tmpfs',
  };
}

function checkName(wanted: string): StorageDriverName {
  const name = storageDriverNames.find((known) => known === wanted);
  if (name) return name;
  throw new UserError('BAD_VALUE', `${storageVariable} names no storage driver: ${JSON.stringify(wanted)}`, {
    hint: `it is one of ${storageDriverNames.join(', ')}`,
  });
}

async function inScratch(parent: string, use: (folder: string) => Promise<StorageFinding>): Promise<StorageFinding> {
  const folder = join(parent, `probe-${process.pid}-${randomBytes(4).toString('hex')}`);
  makePrivateDirectory(folder);
  enterEngineNamespace();
  try {
    return await use(folder);
  } finally {
    detachAll(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

function tellWhyNot(
  { name, answer, fix }: StorageFinding & { readonly name: StorageDriverName },
  chosen: StorageDriverName,
  report: Report,
): void {
  report({
    type: 'notice', level: 'warning',
    message: `${name} cannot be used here: ${answer}; ${chosen === 'copy' ? 'every tree is copied, which takes time and space' : `${chosen} is used instead`}`,
    hint: fix ?? 'devenv doctor shows more',
  }); // prettier-ignore
}
