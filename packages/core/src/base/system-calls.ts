/**
 * The Linux system calls that Node lacks. Loaded on first use: koffi costs some milliseconds that a warm command does not
 * need to pay. Every function throws a `SystemCallError` with errno's name, as node:fs does.
 *
 * Namespaces belong to threads: `enterMountNamespace` moves the main thread only, so below it use synchronous node:fs calls
 * and child processes (both run on the main thread's namespace), never node:fs/promises, which runs on the thread pool.
 */
import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants, endianness } from 'node:os';

/** A name that is no UTF-8 comes as its bytes. */
type Path = string | Buffer;
type Native = (...values: unknown[]) => number;

const require = createRequire(import.meta.url);

interface Library {
  readonly call: (name: string, ...values: unknown[]) => number;
}

let library: Library | undefined;

function libc(): Library {
  if (library) return library;
  const koffi = require('koffi') as typeof import('koffi');
  const handle = koffi.load(null);
  const functions: Record<string, Native> = {};
  for (const [name, prototype] of Object.entries(prototypes)) functions[name] = handle.func(prototype) as Native;
  library = {
    call(name, ...values) {
      const result = functions[name]!(...values);
      if (result < 0) throw new SystemCallError(name, koffi.errno(), values);
      return result;
    },
  };
  return library;
}

const prototypes = {
  mount: 'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  umount2: 'int umount2(const char *target, int flags)',
  unshare: 'int unshare(int flags)',
  flock: 'int flock(int fd, int operation)',
  syncfs: 'int syncfs(int fd)',
  mknod: 'int mknod(const char *path, unsigned int mode, unsigned long device)',
  lsetxattr: 'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
  lgetxattr: 'long lgetxattr(const char *path, const char *name, _Out_ void *value, size_t size)',
  llistxattr: 'long llistxattr(const char *path, _Out_ void *list, size_t size)',
  lremovexattr: 'int lremovexattr(const char *path, const char *name)',
  futimens: 'int futimens(int fd, const int64_t *times)',
  utimensat: 'int utimensat(int directory, const char *path, const int64_t *times, int flags)',
  setns: 'int setns(int fd, int type)',
  socket: 'int socket(int domain, int type, int protocol)',
  ioctl: 'int ioctl(int fd, unsigned long request, _Inout_ void *argument)',
  // glibc of Debian 12 has no wrappers for the mount calls of Linux 5.2 and later; their numbers are the same everywhere.
  syscall: 'long syscall(long number, int fd, const char *path, long flags, const void *data, long size)',
};

/** A system call that failed; `code` is errno's name (`EPERM`). */
export class SystemCallError extends Error {
  readonly code: string;
  readonly errno: number;

  constructor(call: string, errno: number, values: readonly unknown[]) {
    const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `errno ${errno}`;
    super(`${call}(${values.filter((value) => typeof value !== 'object').join(', ')}): ${code}`);
    this.name = 'SystemCallError';
    this.code = code;
    this.errno = errno;
  }
}

function pathArgument(path: Path): Path {
  return typeof path === 'string' ? path : Buffer.concat([path, Buffer.alloc(1)]);
}

/** mount(2) flags that are used here (linux/mount.h). */
export const mountFlags = {
  readonly: 0x1,
  nosuid: 0x2,
  nodev: 0x4,
  noexec: 0x8,
  remount: 0x20,
  bind: 0x1000,
  recursive: 0x4000,
  private: 0x40000,
  slave: 0x80000,
} as const;

export function mount(source: string, target: string, type: string | null, flags: number, data: string | null): void {
  libc().call('mount', source, target, type, flags, data);
}

/** umount2(2); `detach`: at once, the rest when nobody uses it any more (MNT_DETACH). */
export function unmount(target: string, options: { readonly detach?: boolean } = {}): void {
  libc().call('umount2', target, options.detach ? 2 : 0);
}

let inOwnMountNamespace = false;

/**
 * Gives this process' main thread, and every child it spawns from now on, a mount namespace of its own. What the host
 * mounts later still arrives; what is mounted here is seen by nobody else and ends with the last process in it. Idempotent.
 */
export function enterMountNamespace(): void {
  if (inOwnMountNamespace) return;
  const newMountNamespace = 0x20000; // CLONE_NEWNS
  libc().call('unshare', newMountNamespace);
  mount('none', '/', null, mountFlags.recursive | mountFlags.slave, null);
  inOwnMountNamespace = true;
}

/**
 * Makes a network namespace, its loopback up, and pins it to `file` (an empty file that exists) by a bind mount. Enter a
 * mount namespace of our own first. The main thread visits the new namespace for a moment, nothing else can run meanwhile.
 */
export function makeNetworkNamespace(file: string): void {
  const newNetwork = 0x40000000; // CLONE_NEWNET
  const own = '/proc/thread-self/ns/net';
  const home = openSync(own, 'r');
  try {
    libc().call('unshare', newNetwork);
    try {
      raiseLoopback();
      mount(own, file, null, mountFlags.bind, null);
    } finally {
      libc().call('setns', home, newNetwork);
    }
  } finally {
    closeSync(home);
  }
}

/** netdevice(7): SIOCSIFFLAGS with IFF_UP. */
function raiseLoopback(): void {
  const [internet, datagram, setFlags, up] = [2, 2, 0x8914, 0x1];
  const socket = libc().call('socket', internet, datagram, 0);
  try {
    const request = Buffer.alloc(40); // struct ifreq: the name in 16 bytes, then a union
    request.write('lo');
    request[endianness() === 'LE' ? 16 : 17] = up;
    libc().call('ioctl', socket, setFlags, request);
  } finally {
    closeSync(socket);
  }
}

export interface CloneMountOptions {
  /** Read-only, whatever is mounted below included. */
  readonly readonly?: boolean;
  /** Descriptor of a user namespace whose mapping the owners of files go through (mount_setattr(2), MOUNT_ATTR_IDMAP). */
  readonly userNamespace?: number;
  /** Only what is mounted at `source` itself, not what is mounted below it. */
  readonly single?: boolean;
}

/** A bind mount of `source` at `target` with attributes of its own. @throws SystemCallError EINVAL where the file system cannot be idmapped. */
export function cloneMount(source: string, target: string, options: CloneMountOptions): void {
  const [openTree, moveMount, mountSetattr] = [428, 429, 442];
  const [here, emptyPath, closeOnExec, clone] = [-100, 0x1000, 0x80000, 0x1];
  const recursive = options.single ? 0 : 0x8000;
  const tree = libc().call('syscall', openTree, here, source, clone | closeOnExec | recursive, null, 0);
  try {
    const attributes = new BigUint64Array([0n, 0n, 0n, 0n]); // struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    if (options.readonly) attributes[0]! |= 0x1n;
    if (options.userNamespace !== undefined) {
      attributes[0]! |= 0x100000n;
      attributes[3] = BigInt(options.userNamespace);
    }
    if (attributes[0] !== 0n) libc().call('syscall', mountSetattr, tree, '', emptyPath | recursive, Buffer.from(attributes.buffer), 32);
    const fromEmptyPath = 0x4;
    libc().call('syscall', moveMount, tree, '', here, Buffer.from(`${target}\0`), fromEmptyPath);
  } finally {
    closeSync(tree);
  }
}

/** flock(2) without waiting. Returns false when somebody else has it. The lock ends with the descriptor. */
export function tryLock(descriptor: number, mode: 'shared' | 'exclusive'): boolean {
  const noWait = 4;
  try {
    libc().call('flock', descriptor, (mode === 'shared' ? 1 : 2) | noWait);
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.code === 'EAGAIN') return false;
    throw error;
  }
}

/** syncfs(2): everything written to the file system that holds the open file is on disk afterwards. */
export function syncFileSystem(descriptor: number): void {
  libc().call('syncfs', descriptor);
}

/** The same for the file system that a folder is on. */
export function syncTree(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    syncFileSystem(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** mknod(2). `mode` includes the type (S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK). */
export function makeNode(path: Path, mode: number, major: number, minor: number): void {
  // The kernel's 64-bit form: gnu_dev_makedev(3).
  const device =
    ((BigInt(major) & 0xfffff000n) << 32n) |
    ((BigInt(major) & 0xfffn) << 8n) |
    ((BigInt(minor) & 0xffffff00n) << 12n) |
    (BigInt(minor) & 0xffn);
  const umask = process.umask(0);
  try {
    libc().call('mknod', pathArgument(path), mode, device);
  } finally {
    process.umask(umask);
  }
}

const attributeLimit = 64 * 1024; // XATTR_LIST_MAX and XATTR_SIZE_MAX
let sharedBuffer: Buffer | undefined;

/** One for all calls: they are synchronous, and a new one for each of thousands of files costs more than the call. */
function attributeBuffer(): Buffer {
  return (sharedBuffer ??= Buffer.allocUnsafeSlow(attributeLimit));
}

/** The names of a file's extended attributes; links are not followed. */
export function listAttributes(path: Path): string[] {
  const length = libc().call('llistxattr', pathArgument(path), attributeBuffer(), attributeLimit);
  return length === 0
    ? []
    : attributeBuffer()
        .toString('utf8', 0, length - 1)
        .split('\0');
}

/** The value, or undefined when the file has no such attribute. Links are not followed. */
export function getAttribute(path: Path, name: string): Buffer | undefined {
  try {
    const length = libc().call('lgetxattr', pathArgument(path), name, attributeBuffer(), attributeLimit);
    return Buffer.from(attributeBuffer().subarray(0, length));
  } catch (error) {
    if (error instanceof SystemCallError && (error.code === 'ENODATA' || error.code === 'EOPNOTSUPP')) return undefined;
    throw error;
  }
}

export function setAttribute(path: Path, name: string, value: Uint8Array): void {
  libc().call('lsetxattr', pathArgument(path), name, value, value.length, 0);
}

export function removeAttribute(path: Path, name: string): void {
  libc().call('lremovexattr', pathArgument(path), name);
}

/**
 * Sets both times of an open file, or of what a path names (links are not followed), to the nanosecond. node:fs takes a double,
 * which cannot hold one, and makes every time before 1970 the present.
 */
export function setTimes(file: number | Path, seconds: number, nanoseconds: number): void {
  times[0] = times[2] = BigInt(seconds);
  times[1] = times[3] = BigInt(nanoseconds);
  const [atWorkingDirectory, noFollow] = [-100, 0x100]; // AT_FDCWD, AT_SYMLINK_NOFOLLOW
  if (typeof file === 'number') libc().call('futimens', file, times);
  else libc().call('utimensat', atWorkingDirectory, pathArgument(file), times, noFollow);
}

const times = new BigInt64Array(4);

/** ioctl(2) with a structure as its argument. */
export function ioctl(descriptor: number, request: number, argument: Buffer): void {
  libc().call('ioctl', descriptor, request, argument);
}
