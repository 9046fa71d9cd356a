import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { Readable } from 'node:stream';
import { UserError } from '../base/errors.ts';
import { makeNode, setAttribute, setTimes, SystemCallError } from '../base/system-calls.ts';
import { badArchive } from '../oci/bad-archive.ts';
import { pathOf } from '../oci/file-name.ts';
import type { TarEntry } from '../oci/tar-entry.ts';
import { TarReader, type TarVisitor } from '../oci/tar-reader.ts';
import { parseWhiteout, type Whiteout } from '../oci/whiteout.ts';
import { lowerDirectory } from './lower-directory.ts';
import { LayerTree, normalName, type DirectoryRecord, type Place } from './layer-tree.ts';
import type { TarRecorder } from './tar-record.ts';

export interface UnpackOptions {
  readonly signal?: AbortSignal | undefined;
  /** Which attributes overlayfs reads on this mount: `user` with the mount option `userxattr`. */
  readonly overlay: 'trusted' | 'user';
  /**
   * The change-set directories below, topmost first. A directory that the archive uses and does not mention is as it is there,
   * else 0755, root's, of the epoch.
   */
  readonly lower?: readonly string[];
  /** More is refused: members, and bytes of files, holes included. */
  readonly maximumEntries?: number;
  readonly maximumBytes?: number;
  /** It is no layer: nothing means a deleted file, and no devices are made. */
  readonly plain?: boolean;
  /** Keeps what the directory does not tell of the archive. */
  readonly recorder?: TarRecorder | undefined;
}

/**
 * Writes a layer's tar into an empty directory, as overlayfs wants a lower layer: a whiteout becomes a 0:0 character device, an
 * opaque directory an attribute (image-spec, layer.md; kernel, filesystems/overlayfs.rst). Nothing is written outside
 * `directory`, whatever the archive says. What it leaves behind when it fails is the caller's to remove.
 * @throws UserError BAD_ARCHIVE, DISK_FULL, and what the tar stream throws
 */
export async function unpackLayer(tar: Readable, directory: string, options: UnpackOptions): Promise<{ entries: number; bytes: number }> {
  using unpacker = new Unpacker(directory, options);
  const reader = new TarReader(unpacker);
  let refused: unknown;
  for await (const chunk of tar) {
    options.signal?.throwIfAborted();
    // Bytes that are not those that were named explain why they are no archive: let the stream's own check come to its end.
    if (refused !== undefined) continue;
    options.recorder?.piece(chunk as Buffer);
    refused = unpacker.guard(() => {
      reader.write(chunk as Buffer);
      options.recorder?.pieceEnd();
    });
    if (unpacker.isOverLimit) break;
  }
  refused ??= unpacker.guard(() => reader.end());
  if (refused !== undefined) throw refused;
  refused = unpacker.guard(() => unpacker.finish());
  if (refused !== undefined) throw refused;
  options.recorder?.end();
  return { entries: unpacker.entries, bytes: unpacker.bytes };
}

/**
 * Writes a tar of files, which is no layer, into an empty directory: names that mean deleted files in a layer are names, and
 * devices are left out. As safe as `unpackLayer`.
 */
export async function unpackTree(tar: AsyncIterable<Buffer>, directory: string, signal: AbortSignal): Promise<void> {
  await unpackLayer(Readable.from(tar), directory, { overlay: 'user', plain: true, signal });
}

/** Synchronous file-system calls on open descriptors: several times as fast as promises for thousands of small files. */
class Unpacker implements TarVisitor {
  entries = 0;
  bytes = 0;
  readonly #options: UnpackOptions;
  readonly #tree: LayerTree;
  readonly #umask: number;
  readonly #uid = process.getuid!();
  readonly #gid = process.getgid!();
  #entry: TarEntry | undefined;
  #path = '';
  #descriptor = -1;

  constructor(directory: string, options: UnpackOptions) {
    this.#options = options;
    this.#umask = process.umask();
    this.#tree = new LayerTree(
      directory,
      ({ name, path }, overWhiteout) => {
        if (overWhiteout) this.#makeOpaque(path);
        return lowerDirectory(options.lower ?? [], name) ?? implicitDirectory;
      },
      ({ name }) => options.recorder?.replace(directory, name),
    );
    chmodSync(directory, 0o700); // a set-group-id bit would give its group to what is made inside
  }

  get isOverLimit(): boolean {
    return this.entries > (this.#options.maximumEntries ?? Infinity) || this.bytes > (this.#options.maximumBytes ?? Infinity);
  }

  entry(entry: TarEntry): void {
    this.#entry = entry;
    this.entries++;
    this.bytes += entry.size;
    if (this.isOverLimit) throw badArchive('it has more members or unpacks to more bytes than is allowed');
    const name = normalName(entry.name);
    const whiteout = this.#options.plain ? undefined : parseWhiteout(name);
    if (whiteout) return this.#whiteout(whiteout);
    const place = this.#tree.place(name);
    if (entry.type === 'directory') this.#directory(entry, place);
    else this.#make(entry, place);
  }

  data(bytes: Buffer, offset: number): void {
    if (this.#descriptor < 0) return;
    this.#options.recorder?.taken(bytes, offset);
    const position = this.#entry!.extents ? offset : null;
    let written = 0;
    while (written < bytes.length) {
      written += writeSync(this.#descriptor, bytes, written, bytes.length - written, position === null ? null : position + written);
    }
  }

  end(): void {
    if (this.#descriptor < 0) return;
    const entry = this.#entry!;
    const descriptor = this.#descriptor;
    if (entry.extents) ftruncateSync(descriptor, entry.size);
    if (this.#hasOtherOwner(entry)) this.#asFarAsHeld(() => fchownSync(descriptor, entry.uid, entry.gid));
    // After chown(2), which clears set-user-id; and what the umask took away.
    if (entry.mode & (this.#umask | 0o7000)) fchmodSync(descriptor, entry.mode);
    if (entry.attributes) this.#setAttributes(this.#path, entry.attributes);
    setTimes(descriptor, entry.seconds, entry.nanoseconds);
    this.#close();
  }

  /** Owners, modes and times of directories, when nothing changes them any more; the deepest first. */
  finish(): void {
    for (const [name, record] of [...this.#tree.directories].toReversed()) {
      const path = this.#tree.path(name);
      if (this.#hasOtherOwner(record)) this.#asFarAsHeld(() => lchownSync(pathOf(path), record.uid, record.gid));
      chmodSync(pathOf(path), record.mode);
      setTimes(pathOf(path), record.seconds, record.nanoseconds);
    }
  }

  /** What makes the archive unusable, a failed system call said in the archive's terms. Everything else is thrown. */
  guard(work: () => void): UserError | undefined {
    try {
      work();
      return undefined;
    } catch (error) {
      const explained = this.#explained(error);
      if (explained instanceof UserError && explained.code === 'BAD_ARCHIVE') return explained;
      throw explained;
    }
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  #directory(entry: TarEntry, place: Place): void {
    const { mode, uid, gid, seconds, nanoseconds, attributes } = entry;
    const known = this.#tree.directories.has(place.name);
    const overWhiteout = !known && this.#retrying(place, () => mkdirSync(pathOf(place.path), { mode: 0o700 }));
    this.#tree.add(place.name, { mode, uid, gid, seconds, nanoseconds });
    if (attributes) this.#setAttributes(place.path, attributes);
    // Whiteout and directory of one name in one layer: what is below it goes, the directory stays.
    if (overWhiteout) this.#makeOpaque(place.path);
  }

  #make(entry: TarEntry, place: Place): void {
    const path = pathOf(place.path);
    this.#path = place.path;
    switch (entry.type) {
      case 'file':
        this.#retrying(place, () => {
          this.#descriptor = openSync(
            path,
            constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
            entry.mode & 0o777,
          );
        });
        this.#options.recorder?.file(place.name);
        return;
      case 'hardlink':
        return this.#hardLink(entry, place);
      case 'symlink':
        if (entry.target === '') throw badArchive(`the link ${entry.name} has no target`);
        this.#retrying(place, () => symlinkSync(pathOf(entry.target), path));
        break;
      case 'fifo':
        this.#retrying(place, () => makeNode(path, constants.S_IFIFO | (entry.mode & 0o7777), 0, 0));
        break;
      default:
        if (!this.#makeDevice(entry, place)) return;
    }
    if (this.#hasOtherOwner(entry)) this.#asFarAsHeld(() => lchownSync(path, entry.uid, entry.gid));
    if (entry.type !== 'symlink' && entry.mode & 0o7000) chmodSync(path, entry.mode);
    if (entry.attributes) this.#setAttributes(place.path, entry.attributes);
    setTimes(path, entry.seconds, entry.nanoseconds);
  }

  /** False where a user namespace may not make it: it is left out, as containerd and podman do. */
  #makeDevice(entry: TarEntry, place: Place): boolean {
    if (this.#options.plain) return false;
    const type = entry.type === 'block-device' ? constants.S_IFBLK : constants.S_IFCHR;
    try {
      this.#retrying(place, () => makeNode(pathOf(place.path), type | (entry.mode & 0o7777), entry.major, entry.minor));
      return true;
    } catch (error) {
      if (this.#options.overlay === 'user' && isCode(error, 'EPERM')) return false;
      throw error;
    }
  }

  /** The target is an earlier member; a link to a file of another layer cannot be told from an attack. */
  #hardLink(entry: TarEntry, place: Place): void {
    const target = this.#tree.place(normalName(entry.target));
    if (target.name === place.name) throw badArchive(`${entry.name} is a link to itself`);
    if (this.#tree.directories.has(target.name)) throw badArchive(`${entry.name} is a hard link to a directory`);
    try {
      this.#retrying(place, () => linkSync(pathOf(target.path), pathOf(place.path)));
    } catch (error) {
      if (isCode(error, 'ENOENT')) throw badArchive(`${entry.name} is a hard link to ${entry.target}, which is not there`, error);
      throw error;
    }
  }

  #whiteout(whiteout: Whiteout): void {
    if (whiteout.kind === 'ignored') return;
    // The directory of an opaque marker need not be a member itself.
    if (whiteout.kind === 'opaque') return this.#makeOpaque(this.#tree.folder(whiteout.directory).path);
    const place = this.#tree.place(whiteout.name);
    // It is about the layers below only: what this layer has under the name stays.
    if (this.#tree.directories.has(place.name)) return this.#makeOpaque(place.path);
    try {
      makeNode(pathOf(place.path), constants.S_IFCHR, 0, 0);
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
  }

  #makeOpaque(path: string): void {
    setAttribute(pathOf(path), `${this.#options.overlay}.overlay.opaque`, Buffer.from('y'));
  }

  /** Attributes that speak to overlayfs, and labels of another host, are never taken from an archive. */
  #setAttributes(path: string, attributes: ReadonlyMap<string, Buffer>): void {
    for (const [name, value] of attributes) {
      if (/^(?:trusted|user)\.overlay\./.test(name) || name === 'security.selinux') continue;
      try {
        setAttribute(pathOf(path), name, value);
      } catch (error) {
        const cannot =
          isCode(error, 'EOPNOTSUPP') || (isCode(error, 'EPERM') && (this.#options.overlay === 'user' || !name.startsWith('security.')));
        if (!cannot) throw error;
      }
    }
  }

  /** The later of two members wins. True when it took the place of a whiteout. */
  #retrying(place: Place, make: () => void): boolean {
    if (place.name === '') throw badArchive('its top is no directory');
    try {
      make();
      return false;
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
    const whiteout = this.#tree.remove(place);
    make();
    return whiteout;
  }

  /** An id that a user namespace has not cannot be an owner there: the file stays root's here; the tar record keeps whose it is. */
  #asFarAsHeld(own: () => void): void {
    try {
      own();
    } catch (error) {
      if (!(this.#options.overlay === 'user' && isCode(error, 'EINVAL'))) throw error;
    }
  }

  #hasOtherOwner(owner: { readonly uid: number; readonly gid: number }): boolean {
    return owner.uid !== this.#uid || owner.gid !== this.#gid;
  }

  #close(): void {
    if (this.#descriptor >= 0) closeSync(this.#descriptor);
    this.#descriptor = -1;
  }

  #explained(error: unknown): unknown {
    if (error instanceof UserError) return error;
    const { code } = error as NodeJS.ErrnoException;
    const name = this.#entry?.name ?? '';
    if (code === 'ENOSPC' || code === 'EDQUOT')
      return new UserError('DISK_FULL', 'There is no space left to unpack a layer.', { cause: error });
    if (code === 'ENAMETOOLONG' || code === 'EILSEQ' || code === 'EINVAL' || code === 'EFBIG')
      return badArchive(`${name} cannot be written (${code})`, error);
    return error;
  }
}

const implicitDirectory: DirectoryRecord = { mode: 0o755, uid: 0, gid: 0, seconds: 0, nanoseconds: 0 };

function isCode(error: unknown, code: string): boolean {
  return (error instanceof SystemCallError || error instanceof Error) && (error as { code?: string }).code === code;
}
