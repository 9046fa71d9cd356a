import { closeSync, openSync, readFileSync } from 'node:fs';
import { UserError } from '../../base/errors.ts';
import { isMapped } from '../../base/user-namespace.ts';
import { mount, SystemCallError, unmount } from '../../base/system-calls.ts';
import { namesWithin } from './storage/names-within.ts';

export interface OverlayOptions {
  /** Topmost first, at least one. */
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
  readonly target: string;
  /** No sync when it is unmounted (that writes the whole file system out): for what is discarded after a crash anyway. */
  readonly volatile?: boolean;
}

const page = 4096; // mount(2) takes one page of options, the terminating zero included
const mostLayers = 500; // OVL_MAX_STACK of the kernel

/**
 * Mounts directories as one tree (linux/Documentation/filesystems/overlayfs.rst). The layers are named relative to their
 * common folder, so that hundreds fit; by the numbers of their descriptors when they do not. Features that write overlay's own
 * notes into layers are off: layers stay plain. @throws UserError NOT_SUPPORTED, RUNTIME_FAILED
 */
export function mountOverlay(options: OverlayOptions): void {
  const { lower } = options;
  if (lower.length > mostLayers)
    throw new UserError('NOT_SUPPORTED', `overlayfs stacks at most ${mostLayers} layers, and this image has ${lower.length}`, {
      hint: 'join steps or layers, or set DEVENV_STORAGE_DRIVER=copy',
    });
  const { folder, names } = namesWithin(lower);
  if (mountWithin(folder, names, options)) return;
  const descriptors = lower.map((path) => openSync(path, pathOnly));
  try {
    if (!mountWithin('/proc/self/fd', descriptors.map(String), options)) throw new Error(`too many layers for one mount: ${lower.length}`);
  } finally {
    for (const descriptor of descriptors) closeSync(descriptor);
  }
}

const pathOnly = 0o10000000; // O_PATH, which node:fs does not name

/** False when the names are too long for one mount. */
function mountWithin(folder: string, names: readonly string[], { upper, work, target, volatile }: OverlayOptions): boolean {
  const lower = names.map((name) => escape(name).replaceAll(':', '\\:')).join(':');
  const needed = [`lowerdir=${lower}`, `upperdir=${escape(upper)}`, `workdir=${escape(work)}`];
  const wanted = [
    ...(isMapped() ? ['userxattr'] : []),
    'index=off',
    'metacopy=off',
    'redirect_dir=nofollow',
    ...(volatile ? ['volatile'] : []),
  ];
  if (Buffer.byteLength([...needed, ...wanted].join(',')) >= page) return false;
  const before = process.cwd();
  process.chdir(folder);
  try {
    mountWanting(target, needed, wanted);
  } finally {
    process.chdir(before);
  }
  return true;
}

/** Unmounts whatever is mounted at or below a directory, in our mount namespace. At once; who still uses it keeps it to the end. */
export function detachAll(directory: string): void {
  for (const point of mountPoints().toReversed())
    if (point === directory || point.startsWith(`${directory}/`)) unmount(point, { detach: true });
}

export function isMounted(target: string): boolean {
  return mountPoints().includes(target);
}

/** Of our mount namespace, outer ones first. proc_pid_mountinfo(5): field 5, with octal escapes. */
export function mountPoints(): string[] {
  const table = readFileSync('/proc/thread-self/mountinfo', 'utf8');
  return table
    .split('\n')
    .flatMap(
      (line) => line.split(' ')[4]?.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))) ?? [],
    );
}

/** A kernel that does not know an option has the feature off or not at all; it refuses the last one first. */
function mountWanting(target: string, needed: readonly string[], wanted: readonly string[]): void {
  try {
    mount('overlay', target, 'overlay', 0, [...needed, ...wanted].join(','));
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    if (error.code !== 'EINVAL' || wanted.length === 0) throw refused(target, error);
    mountWanting(target, needed, wanted.slice(0, -1));
  }
}

function refused(target: string, error: SystemCallError): UserError {
  return new UserError('RUNTIME_FAILED', `overlayfs cannot be mounted on ${target}: ${error.code}`, {
    hint: 'devenv keeps its data on ext4, xfs, btrfs or tmpfs (not on an overlay or a network file system): set DEVENV_BASE_DIR to such a folder, or see devenv doctor for other storage drivers',
    cause: error,
  });
}

function escape(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(',', '\\,');
}
