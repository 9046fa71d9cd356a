import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { getAttribute, listAttributes } from '../base/system-calls.ts';
import { compareNames, decodeName, pathOf } from '../oci/file-name.ts';
import { isOpaque, isWhiteout, namesIn } from '../store/merged.ts';
import { attributesText, isTelling, knownContent, storedContent, type Content, type FileFact, type LayerFacts } from './file-facts.ts';

/**
 * A change set as overlayfs has it. Contents are read when they are asked for; `passing`: now, since the directory will be
 * gone.
 */
export function readDirectory(directory: string, { passing = false }: { readonly passing?: boolean } = {}): LayerFacts {
  const facts = { files: new Map<string, FileFact>(), removed: new Set<string>(), opaque: new Set<string>() };
  readInto(directory, '', { ...facts, links: new Map(), passing });
  return facts;
}

interface Reading {
  readonly files: Map<string, FileFact>;
  readonly removed: Set<string>;
  readonly opaque: Set<string>;
  /** By inode: what has several names. */
  readonly links: Map<number, Content>;
  readonly passing: boolean;
}

function readInto(directory: string, relative: string, reading: Reading): void {
  for (const name of namesIn(directory).toSorted(compareNames)) {
    const path = `${directory}/${name}`;
    const inside = relative === '' ? name : `${relative}/${name}`;
    const stats = lstatSync(pathOf(path), { bigint: true });
    if (isWhiteout(stats)) {
      reading.removed.add(inside);
      continue;
    }
    const fact = factOf(path, inside, lstatSync(pathOf(path)), reading);
    if (!fact) continue;
    reading.files.set(inside, fact);
    if (fact.type !== 'directory') continue;
    if (isOpaque(path)) reading.opaque.add(inside);
    readInto(path, inside, reading);
  }
}

/** Undefined for a socket, which no layer has. */
function factOf(path: string, inside: string, stats: Stats, reading: Reading): FileFact | undefined {
  const names = listAttributes(pathOf(path));
  const attributes = names.length === 0 ? '' : attributesText(names.map((name) => [name, valueOf(path, name)] as const));
  const common = { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid, seconds: Math.floor(stats.mtimeMs / 1000), attributes };
  if (stats.isDirectory()) return { ...common, type: 'directory' };
  if (stats.isSymbolicLink()) {
    return { ...common, type: 'symlink', mode: 0o777, target: decodeName(readlinkSync(pathOf(path), { encoding: 'buffer' })) };
  }
  if (stats.isFile()) {
    const known = stats.nlink > 1 ? reading.links.get(stats.ino) : undefined;
    if (known) return { ...common, type: 'file', content: known, again: true };
    const content = contentOf(path, inside, stats.size, reading.passing);
    if (stats.nlink > 1) reading.links.set(stats.ino, content);
    return { ...common, type: 'file', content };
  }
  if (stats.isFIFO()) return { ...common, type: 'fifo' };
  const type = stats.isBlockDevice() ? 'block-device' : stats.isCharacterDevice() ? 'character-device' : undefined;
  return type && { ...common, type, device: deviceOf(stats.rdev) };
}

function contentOf(path: string, inside: string, size: number, passing: boolean): Content {
  const content = storedContent(path, size);
  return passing ? knownContent(size, content.sha256(), isTelling(inside) ? content.bytes() : undefined) : content;
}

function valueOf(path: string, name: string): Buffer {
  return getAttribute(pathOf(path), name) ?? Buffer.alloc(0);
}

/** gnu_dev_major(3), gnu_dev_minor(3). */
function deviceOf(device: number): string {
  const value = BigInt(device);
  return `${((value >> 32n) & 0xfffff000n) | ((value >> 8n) & 0xfffn)}:${((value >> 12n) & 0xffffff00n) | (value & 0xffn)}`;
}
