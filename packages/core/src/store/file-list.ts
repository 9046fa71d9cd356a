import { lstatSync, readlinkSync } from 'node:fs';
import { getAttribute, listAttributes } from '../base/system-calls.ts';
import { compareNames, decodeName, pathOf } from '../oci/file-name.ts';
import { namesIn } from './merged.ts';

/**
 * One entry of a layer as it is meant to be on every machine, however this machine's store could hold it. Paths are relative,
 * ids numeric as inside the image, `mode` has the permission bits, `attributes` values are base64.
 */
export interface ListedFile {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'character' | 'block' | 'fifo';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly mtime: number;
  readonly size?: number;
  /** Target of a symlink, or path of the entry that a hard link is the same file as. */
  readonly link?: string;
  readonly device?: readonly [major: number, minor: number];
  readonly attributes?: Readonly<Record<string, string>>;
}

/** Everything in a change set, by path in byte order. Sockets have no place in a layer and are left out. */
export function listFiles(directory: string): ListedFile[] {
  const files: ListedFile[] = [];
  collect(directory, '', files, new Map());
  return files;
}

/** One JSON object a line. */
export function formatFileList(files: readonly ListedFile[]): string {
  return files.map((file) => `${JSON.stringify(file)}\n`).join('');
}

function collect(directory: string, relative: string, files: ListedFile[], firstNames: Map<number, string>): void {
  for (const name of namesIn(directory).toSorted(compareNames)) {
    const path = `${directory}/${name}`;
    const inside = relative === '' ? name : `${relative}/${name}`;
    const stats = lstatSync(pathOf(path));
    const common = { path: inside, mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, mtime: Math.floor(stats.mtimeMs / 1000) };
    const attributes = attributesOf(path);
    const rest = attributes ? { attributes } : {};
    if (stats.isDirectory()) {
      files.push({ ...common, type: 'directory', ...rest });
      collect(path, inside, files, firstNames);
    } else if (stats.isFile()) {
      const first = stats.nlink > 1 ? firstNames.get(stats.ino) : undefined;
      if (first === undefined) {
        if (stats.nlink > 1) firstNames.set(stats.ino, inside);
        files.push({ ...common, type: 'file', size: stats.size, ...rest });
      } else files.push({ ...common, type: 'hardlink', link: first });
    } else if (stats.isSymbolicLink()) files.push({ ...common, type: 'symlink', link: targetOf(path), ...rest });
    else if (stats.isCharacterDevice() || stats.isBlockDevice()) {
      files.push({ ...common, type: stats.isBlockDevice() ? 'block' : 'character', device: deviceNumbers(stats.rdev), ...rest });
    } else if (stats.isFIFO()) files.push({ ...common, type: 'fifo', ...rest });
  }
}

function targetOf(path: string): string {
  return decodeName(readlinkSync(pathOf(path), { encoding: 'buffer' }));
}

function attributesOf(path: string): Record<string, string> | undefined {
  const names = listAttributes(pathOf(path));
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.toSorted().map((name) => [name, getAttribute(pathOf(path), name)?.toString('base64') ?? '']));
}

/** gnu_dev_major(3), gnu_dev_minor(3). */
function deviceNumbers(device: number): readonly [number, number] {
  const value = BigInt(device);
  return [Number(((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn)), Number(((value >> 12n) & 0xffffff00n) | (value & 0xffn))];
}
