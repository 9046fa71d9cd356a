import { badArchive } from './bad-archive.ts';
import { integerOf, type PaxRecords } from './pax.ts';
import type { Extent } from './tar-entry.ts';
import { numberField, type TarHeader } from './tar-header.ts';

/** A sparse map longer than this is refused, so that no archive can fill the memory. */
const mapLimit = 1024 * 1024;

/** Which form of GNU's sparse formats a member has (GNU tar manual, "Storing Sparse Files"). */
export type SparseForm = 'none' | 'map in header' | 'map before data' | 'old map';

/** Applies the sparse records of an extended header; the map of form 1.0 comes with the data. @throws UserError BAD_ARCHIVE */
export function applySparse(header: TarHeader, records: PaxRecords): SparseForm {
  if (header.flag === 'S') return 'old map';
  const major = records.get('GNU.sparse.major')?.toString('latin1');
  const map = records.get('GNU.sparse.map');
  if (major === undefined && !map) return 'none';
  const name = records.get('GNU.sparse.name');
  if (name) header.name = name.toString();
  const size = records.get('GNU.sparse.realsize') ?? records.get('GNU.sparse.size');
  if (!size) throw badArchive('a sparse file has no size');
  header.size = integerOf('GNU.sparse.realsize', size);
  if (major === '1' && records.get('GNU.sparse.minor')?.toString('latin1') === '0') return 'map before data';
  if ((major !== undefined && major !== '0') || !map) throw badArchive('a sparse file has an unknown form');
  header.extents = checkedExtents(map.toString('latin1').split(','), header.size, header.stored);
  return 'map in header';
}

/** Collects the map of form 1.0: blocks of decimal lines before the data, the count first. */
export class SparseMapReader {
  readonly #blocks: string[] = [];
  #lines = 0;
  #expected: number | undefined;

  /** Undefined until the map is complete. */
  add(block: Buffer, header: TarHeader): readonly Extent[] | undefined {
    const text = block.toString('latin1');
    this.#blocks.push(text);
    if (this.#blocks.length * 512 > mapLimit) throw badArchive('a sparse map is too long');
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lines++;
    if (this.#expected === undefined) {
      const count = /^([0-9]{1,7})\n/.exec(text)?.[1]; // seven digits always fit in the first block
      if (count === undefined) throw badArchive('a sparse map is damaged');
      this.#expected = 1 + 2 * Number(count);
    }
    if (this.#lines < this.#expected) return undefined;
    header.stored -= this.#blocks.length * 512;
    return checkedExtents(this.#blocks.join('').split('\n').slice(1, this.#expected), header.size, header.stored);
  }
}

/** Collects the map of the old GNU form: four pairs in the header, 21 in each extension block. */
export class OldSparseMapReader {
  readonly #numbers: string[] = [];

  /** True when an extension block follows. */
  addHeader(block: Buffer, header: TarHeader): boolean {
    header.size = numberField(block, 483, 12);
    this.#add(block, 386, 4);
    return block[482] !== 0;
  }

  addExtension(block: Buffer): boolean {
    this.#add(block, 0, 21);
    if (this.#numbers.length * 24 > mapLimit) throw badArchive('a sparse map is too long');
    return block[504] !== 0;
  }

  extents(header: TarHeader): readonly Extent[] {
    return checkedExtents(this.#numbers, header.size, header.stored);
  }

  #add(block: Buffer, start: number, pairs: number): void {
    for (let pair = 0; pair < pairs; pair++) {
      const at = start + pair * 24;
      if (block[at] === 0) return;
      this.#numbers.push(String(numberField(block, at, 12)), String(numberField(block, at + 12, 12)));
    }
  }
}

/** In order, inside the file, and together as long as what is stored. @throws UserError BAD_ARCHIVE */
function checkedExtents(numbers: readonly string[], size: number, stored: number): readonly Extent[] {
  const extents: Extent[] = [];
  let end = 0;
  let total = 0;
  for (let at = 0; at + 1 < numbers.length; at += 2) {
    const [offset, length] = [Number(numbers[at]), Number(numbers[at + 1])];
    if (!/^[0-9]+$/.test(numbers[at]!) || !/^[0-9]+$/.test(numbers[at + 1]!) || offset < end || offset + length > size) {
      throw badArchive('a sparse map is damaged');
    }
    if (length > 0) extents.push({ offset, length });
    end = offset + length;
    total += length;
  }
  if (numbers.length % 2 !== 0 || total !== stored) throw badArchive('a sparse map does not fit its data');
  return extents;
}
