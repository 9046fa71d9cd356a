import { readFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import process from 'node:process';
import { UserError } from '../../base/errors.ts';
import { isMapped } from '../../base/user-namespace.ts';
import { mount, SystemCallError, unmount } from '../../base/system-calls.ts';

export interface OverlayOptions {
  /** Topmost first, at least one. */
  readonly lower: readonly string[];
  /** Absent: read-only; then at least two lower directories. */
  readonly writable?: { readonly upper: string; readonly work: string };
  readonly target: string;
  /** No sync when it is unmounted (that writes the whole file system out): for what is discarded after a crash anyway. */
  readonly volatile?: boolean;
}

const page = 4096; // mount(2) takes one page of options, the terminating zero included

/**
 * Mounts directories as one tree (linux/Documentation/filesystems/overlayfs.rst). The layers are named relative to their
 * common folder, so that hundreds fit. Features that write overlay's own notes into layers are off: layers stay plain.
 */
export function mountOverlay(options: OverlayOptions): void {
  const folder = dirname(options.lower[0]!);
  const lower = options.lower.map((path) => escape(dirname(path) === folder ? basename(path) : path).replaceAll(':', '\\:')).join(':');
  const writable = options.writable ? [`upperdir=${escape(options.writable.upper)}`, `workdir=${escape(options.writable.work)}`] : [];
  const plain = [
    ...(isMapped() ? ['userxattr'] : []),
    'index=off',
    'metacopy=off',
    'redirect_dir=nofollow',
    ...(options.volatile && options.writable ? ['volatile'] : []),
  ];
  const before = process.cwd();
  process.chdir(folder);
  try {
    mountWithin(options.target, [`lowerdir=${lower}`, ...writable], plain);
  } finally {
    process.chdir(before);
  }
}

/** Unmounts whatever is mounted at or below a directory, in our mount namespace. At once; who still uses it keeps it to the end. */
export function detachAll(directory: string): void {
  for (const point of mountPoints().toReversed())
    if (point === directory || point.startsWith(`${directory}/`)) unmount(point, { detach: true });
}

export function isMounted(target: string): boolean {
  return mountPoints().includes(target);
}

/** proc_pid_mountinfo(5): field 5, with octal escapes. */
function mountPoints(): string[] {
  const table = readFileSync('/proc/thread-self/mountinfo', 'utf8');
  return table
    .split('\n')
    .flatMap(
      (line) => line.split(' ')[4]?.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8))) ?? [],
    );
}

function mountWithin(target: string, needed: readonly string[], wanted: readonly string[]): void {
  const text = [...needed, ...wanted].join(',');
  if (Buffer.byteLength(text) >= page) throw new Error(`too many layers for one mount: ${text.length} bytes of options`);
  try {
    mount('overlay', target, 'overlay', 0, text);
  } catch (error) {
    if (!(error instanceof SystemCallError)) throw error;
    // A kernel that does not know an option has the feature off or not at all; it refuses the last one first.
    if (error.code !== 'EINVAL' || wanted.length === 0) throw refused(target, error);
    mountWithin(target, needed, wanted.slice(0, -1));
  }
}

function refused(target: string, error: SystemCallError): UserError {
  return new UserError('RUNTIME_FAILED', `overlayfs cannot be mounted on ${target}: ${error.code}`, {
    hint: 'devenv keeps its data on ext4, xfs, btrfs or tmpfs (not on an overlay or a network file system): set DEVENV_BASE_DIR to such a folder',
    cause: error,
  });
}

function escape(path: string): string {
  return path.replaceAll('\\', '\\\\').replaceAll(',', '\\,');
}
