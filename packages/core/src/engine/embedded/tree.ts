import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  type Stats,
} from 'node:fs';

/** A place in a tree: its descriptor (O_PATH), and its path in the tree after every link was followed. */
export interface Place extends Disposable {
  readonly descriptor: number;
  readonly path: string;
  readonly stats: Stats;
  /** Names the open file itself: what is swapped in the tree meanwhile does not matter. */
  readonly magic: string;
}

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface FindOptions {
  /** What is missing is made: directories, and at the end of the path, links followed, what `kind` says. */
  readonly create?: CreateOptions;
  /** The last component is not followed when it is a link. */
  readonly keepLink?: boolean;
}

export interface CreateOptions extends Owner {
  /** Of directories; a file gets it without the execute bits. */
  readonly mode: number;
  readonly kind?: 'file' | 'directory';
  /** Hears the path in the tree of each thing made, outermost first. */
  readonly onMade?: ((path: string) => void) | undefined;
}

const pathOnly = 0o10000000; // O_PATH, which node:fs does not name
const mostLinks = 40; // as the kernel (path_resolution(7))

/**
 * Finds `path` as a process with `root` as its root would, whatever links an image or a running container puts there:
 * nothing outside is ever reached, because each component is opened from the one before it (openat(2) by way of
 * /proc/self/fd). Returns undefined when there is nothing.
 */
export function find(root: string, path: string, options: FindOptions = {}): Place | undefined {
  const trail: { readonly descriptor: number; readonly name: string }[] = [
    { descriptor: openSync(root, pathOnly | constants.O_DIRECTORY), name: '' },
  ];
  const rest = path.split('/').reverse();
  let links = 0;
  const top = (): { readonly descriptor: number; readonly name: string } => trail.at(-1)!;
  const place = (): string => trail.map(({ name }) => name).join('/') || '/';
  const leave = (): void => closeSync(trail.pop()!.descriptor);
  try {
    while (rest.length > 0) {
      const name = rest.pop()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (trail.length > 1) leave();
        continue;
      }
      const address = `/proc/self/fd/${top().descriptor}/${name}`;
      const isLast = rest.every((later) => later === '' || later === '.');
      let descriptor = openHere(address);
      if (descriptor === undefined) {
        if (!options.create || !fstatSync(top().descriptor).isDirectory()) return undefined;
        descriptor = make(address, options.create, isLast);
        options.create.onMade?.(`${place() === '/' ? '' : place()}/${name}`);
      }
      if (fstatSync(descriptor).isSymbolicLink() && !(isLast && options.keepLink)) {
        closeSync(descriptor);
        if (++links > mostLinks) return undefined;
        const target = readLink(address, name);
        if (target === undefined) return undefined;
        if (target.startsWith('/')) while (trail.length > 1) leave();
        rest.push(...target.split('/').reverse());
        continue;
      }
      trail.push({ descriptor, name });
    }
    const { descriptor } = top();
    const found: Place = {
      descriptor,
      path: place(),
      stats: fstatSync(descriptor),
      magic: `/proc/self/fd/${descriptor}`,
      [Symbol.dispose]: () => closeSync(descriptor),
    };
    trail.pop();
    return found;
  } finally {
    while (trail.length > 0) leave();
  }
}

/** The text of a regular file of the tree, or undefined when there is none. */
export function readInside(root: string, path: string): string | undefined {
  using place = find(root, path);
  if (!place?.stats.isFile()) return undefined;
  return readFileSync(place.magic, 'utf8');
}

/** Makes an entry with this owner and mode, whatever the umask; returns its descriptor (O_PATH). */
function make(address: string, create: CreateOptions, isLast: boolean): number {
  const asFile = isLast && create.kind === 'file';
  if (asFile) closeSync(openSync(address, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW, 0o600));
  else mkdirSync(address, { mode: 0o700 });
  const opened = openSync(address, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fchownSync(opened, create.uid, create.gid);
    fchmodSync(opened, asFile ? create.mode & ~0o111 : create.mode);
  } finally {
    closeSync(opened);
  }
  return openHere(address)!;
}

/** Where a link leads. Undefined for one of /proc that leads to nothing for us: `self` is nobody where we have no pid. */
function readLink(address: string, name: string): string | undefined {
  try {
    return readlinkSync(address);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code === 'EINVAL') return name; // it has become something else meanwhile: looked at again
    throw error;
  }
}

function openHere(address: string): number | undefined {
  try {
    return openSync(address, pathOnly | constants.O_NOFOLLOW);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
