import { lstatSync, mkdirSync, readlinkSync, rmSync, unlinkSync, type Stats } from 'node:fs';
import { badArchive } from '../oci/bad-archive.ts';
import { decodeName, pathOf } from '../oci/file-name.ts';

/** What a directory gets when the layer is complete. */
export interface DirectoryRecord {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Where an entry goes: a path on this machine whose folder is a real directory inside the layer. */
export interface Place {
  /** Relative to the layer, without links; empty for the layer's own directory. */
  readonly name: string;
  readonly path: string;
}

/** Hears of a directory that was made because the archive uses it, and tells what it is to be like. */
export type Made = (place: Place, overWhiteout: boolean) => DirectoryRecord;

/** So that no archive fills the memory: some hundred megabytes. */
const directoryLimit = 1_000_000;

/**
 * The directories of a layer while it is unpacked. The folder begins empty and only we write to it, so what is real is
 * known here without asking the file system: a name is accepted when each folder in it was made as a directory. Links are
 * followed as inside the layer (an absolute target starts at the layer's top), never outside.
 */
export class LayerTree {
  readonly #root: string;
  readonly #made: Made;
  readonly #beforeRemoval: ((place: Place) => void) | undefined;
  /** Every real directory of the layer by its name, in the order made: a folder comes before what is in it. */
  readonly directories: Map<string, DirectoryRecord> = new Map();
  #lastFolder = '';
  #lastReal = '';

  /** `beforeRemoval` hears of what is about to be replaced. */
  constructor(root: string, made: Made, beforeRemoval?: (place: Place) => void) {
    this.#root = root;
    this.#made = made;
    this.#beforeRemoval = beforeRemoval;
    this.directories.set('', made({ name: '', path: root }, false));
  }

  /** `name` is a normal one. @throws UserError BAD_ARCHIVE when it leads through something that is no directory. */
  place(name: string): Place {
    const slash = name.lastIndexOf('/');
    if (slash < 0) return { name, path: this.path(name) };
    const folder = this.#real(name.slice(0, slash));
    const real = folder === '' ? name.slice(slash + 1) : `${folder}/${name.slice(slash + 1)}`;
    return { name: real, path: this.path(real) };
  }

  /** A directory; made when the archive did not make it. */
  folder(name: string): Place {
    const real = name === '' ? '' : this.#real(name);
    return { name: real, path: this.path(real) };
  }

  path(name: string): string {
    return name === '' ? this.#root : `${this.#root}/${name}`;
  }

  /** There is a directory of this name now. */
  add(name: string, record: DirectoryRecord): void {
    if (this.directories.size >= directoryLimit) throw badArchive('it has too many directories');
    this.directories.set(name, record);
  }

  /** Makes room for an entry that replaces what an earlier one made. True when that was a whiteout. */
  remove(place: Place): boolean {
    this.#lastFolder = this.#lastReal = '';
    if (this.directories.has(place.name)) {
      if (place.name === '') throw badArchive('its top is no directory');
      this.#beforeRemoval?.(place);
      rmSync(pathOf(place.path), { recursive: true });
      for (const name of this.directories.keys()) {
        if (name === place.name || name.startsWith(`${place.name}/`)) this.directories.delete(name);
      }
      return false;
    }
    const whiteout = isWhiteout(lstatSync(pathOf(place.path)));
    this.#beforeRemoval?.(place);
    rmSync(pathOf(place.path), { force: true });
    return whiteout;
  }

  #real(name: string): string {
    if (name === this.#lastFolder) return this.#lastReal;
    const real = this.directories.has(name) ? name : this.#walk(name);
    this.#lastFolder = name;
    this.#lastReal = real;
    return real;
  }

  #walk(name: string): string {
    let real = '';
    let links = 0;
    const parts = name.split('/').toReversed();
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        real = real.slice(0, Math.max(0, real.lastIndexOf('/'))); // only a link's target holds it; the top is its own parent
        continue;
      }
      const next = real === '' ? part : `${real}/${part}`;
      const target = this.directories.has(next) ? undefined : this.#linkOrNewDirectory(next);
      if (target === undefined) {
        real = next;
        continue;
      }
      if (++links > 40) throw badArchive(`${name} leads through too many links`); // as the kernel, MAXSYMLINKS
      if (target.startsWith('/')) real = '';
      parts.push(...target.split('/').toReversed());
    }
    return real;
  }

  /** The target of the link at a name; undefined when it is a directory now. */
  #linkOrNewDirectory(name: string): string | undefined {
    const path = pathOf(this.path(name));
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats?.isSymbolicLink()) return decodeName(readlinkSync(path, { encoding: 'buffer' }));
    if (stats && !isWhiteout(stats)) throw badArchive(`${name} is used as a directory and is none`);
    if (stats) unlinkSync(path);
    mkdirSync(path, { mode: 0o700 });
    this.add(name, this.#made({ name, path: this.path(name) }, stats !== undefined));
    return undefined;
  }
}

function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/** The form without leading slashes, `.` and empty parts. @throws UserError BAD_ARCHIVE for `..` and zero bytes */
export function normalName(entryName: string): string {
  const name = entryName.startsWith('./') ? entryName.slice(2) : entryName;
  const trimmed = name.endsWith('/') ? name.slice(0, -1) : name;
  if (!unusual.test(trimmed)) return trimmed;
  const parts = trimmed.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw badArchive(`${JSON.stringify(entryName)} leads out of the layer`);
  return parts.join('/');
}

const unusual = /(?:^|\/)\.{0,2}(?:\/|$)/;
