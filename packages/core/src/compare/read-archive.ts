import { createHash, type Hash } from 'node:crypto';
import { badArchive } from '../oci/bad-archive.ts';
import type { TarEntry } from '../oci/tar-entry.ts';
import { TarReader, type TarVisitor } from '../oci/tar-reader.ts';
import { parseWhiteout } from '../oci/whiteout.ts';
import { normalName } from '../store/layer-tree.ts';
import { attributesText, isTelling, knownContent, tellingLimit, type Content, type FileFact, type LayerFacts } from './file-facts.ts';

/** An archive that says more is refused: what is told of each member is kept in memory. */
const memberLimit = 2_000_000;
/** Zeros of sparse files are hashed, too, and an archive can claim any number of them. */
const holeLimit = 16 * 1024 ** 3; // bytes

/**
 * A layer's archive as it streams by: nothing is written, contents are hashed. The stream checks its own bytes.
 * @throws UserError BAD_ARCHIVE, and what the stream throws
 */
export async function readArchive(tar: AsyncIterable<Buffer>, signal?: AbortSignal): Promise<LayerFacts> {
  const visitor = new FactVisitor();
  const reader = new TarReader(visitor);
  for await (const chunk of tar) {
    signal?.throwIfAborted();
    reader.write(chunk);
  }
  reader.end();
  return visitor;
}

class FactVisitor implements TarVisitor, LayerFacts {
  readonly files: Map<string, FileFact> = new Map();
  readonly removed: Set<string> = new Set();
  readonly opaque: Set<string> = new Set();
  #members = 0;
  #holes = 0;
  #entry: TarEntry | undefined;
  #path = '';
  #hash: Hash | undefined;
  #at = 0;
  #kept: Buffer[] | undefined;
  #keptBytes = 0;

  entry(entry: TarEntry): void {
    if (++this.#members > memberLimit) throw badArchive(`it has more than ${memberLimit} members`);
    this.#entry = entry;
    this.#hash = undefined;
    const name = normalName(entry.name);
    const whiteout = parseWhiteout(name);
    if (whiteout?.kind === 'opaque') this.opaque.add(whiteout.directory);
    if (whiteout?.kind === 'hides') this.removed.add(whiteout.name);
    if (whiteout || name === '') return;
    this.#path = name;
    if (entry.type === 'hardlink') this.#link(name, entry);
    else if (entry.type === 'file') {
      this.#hash = createHash('sha256');
      this.#at = 0;
      const room = tellingLimit - this.#keptBytes;
      this.#kept = isTelling(name) && entry.size <= room ? [] : undefined;
      if (this.#kept) this.#keptBytes += entry.size;
    } else this.#add(name, factOf(entry));
  }

  data(bytes: Buffer, offset: number): void {
    if (!this.#hash) return;
    this.#zerosTo(offset);
    this.#hash.update(bytes);
    this.#kept?.push(Buffer.from(bytes));
    this.#at = offset + bytes.length;
  }

  end(): void {
    if (!this.#hash) return;
    const entry = this.#entry!;
    this.#zerosTo(entry.size);
    const content = knownContent(entry.size, this.#hash.digest('hex'), this.#kept && Buffer.concat(this.#kept));
    this.#add(this.#path, { ...factOf(entry), content });
    this.#hash = this.#kept = undefined;
  }

  #add(path: string, fact: FileFact): void {
    this.files.delete(path); // the later member counts, also for the order
    this.files.set(path, fact);
  }

  #link(name: string, entry: TarEntry): void {
    const first = this.files.get(normalName(entry.target));
    if (!first || first.type === 'directory') throw badArchive(`${name} is another name of ${entry.target}, which is not there`);
    this.#add(name, { ...first, again: true });
  }

  #zerosTo(offset: number): void {
    for (let left = offset - this.#at; left > 0; left -= zeros.length) {
      const count = Math.min(left, zeros.length);
      this.#holes += count;
      if (this.#holes > holeLimit) throw badArchive('its sparse files are too large');
      this.#hash!.update(zeros.subarray(0, count));
      this.#kept?.push(zeros.subarray(0, count));
    }
    this.#at = Math.max(this.#at, offset);
  }
}

const zeros = Buffer.alloc(1024 * 1024);

function factOf(entry: TarEntry): FileFact & { content?: Content } {
  const attributes = entry.attributes ? attributesText(entry.attributes) : '';
  const common = { mode: entry.mode, uid: entry.uid, gid: entry.gid, seconds: entry.seconds, attributes };
  switch (entry.type) {
    case 'symlink':
      return { ...common, type: 'symlink', mode: 0o777, target: entry.target };
    case 'character-device':
    case 'block-device':
      return { ...common, type: entry.type, device: `${entry.major}:${entry.minor}` };
    case 'file':
    case 'directory':
    case 'fifo':
      return { ...common, type: entry.type };
    case 'hardlink':
      throw new Error('a hard link has no facts of its own');
    default:
      throw new Error(`unexpected type: ${String(entry.type satisfies never)}`);
  }
}
