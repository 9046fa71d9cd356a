import { badArchive } from './bad-archive.ts';
import { decodeName } from './file-name.ts';
import type { TarEntry } from './tar-entry.ts';

export const blockSize = 512;

/** What a header block says by itself, before extended headers. */
export interface TarHeader extends TarEntry {
  /** The raw type flag: `0` file, `5` directory, `x` extended header … */
  flag: string;
  /** Bytes that follow in the archive, without padding. */
  stored: number;
}

/**
 * One header block: v7, ustar (POSIX.1), star or GNU. undefined for a block of zeros.
 * @throws UserError BAD_ARCHIVE
 */
export function parseHeader(block: Buffer): TarHeader | undefined {
  if (!hasChecksum(block)) return undefined;
  const magic = block.toString('latin1', 257, 263);
  const flag = block[156] === 0 ? '0' : String.fromCharCode(block[156]!);
  let name = textField(block, 0, 100);
  if (magic === 'ustar\0' && block[345] !== 0) {
    const star = block.toString('latin1', 508, 512) === 'tar\0';
    name = `${textField(block, 345, star ? 131 : 155)}/${name}`;
  }
  const stored = numberField(block, 124, 12);
  const devices = flag === '3' || flag === '4';
  return {
    flag,
    name,
    type: types[flag] ?? 'file',
    mode: numberField(block, 100, 8) & 0o7777,
    uid: numberField(block, 108, 8),
    gid: numberField(block, 116, 8),
    seconds: numberField(block, 136, 12, true),
    nanoseconds: 0,
    size: stored,
    stored,
    target: block[157] === 0 ? '' : textField(block, 157, 100),
    major: devices ? numberField(block, 329, 8) : 0,
    minor: devices ? numberField(block, 337, 8) : 0,
    attributes: undefined,
    extents: undefined,
  };
}

const types: Readonly<Record<string, TarEntry['type']>> = {
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

/**
 * A number as tar writes it: octal text, or binary with the top bit set (GNU base 256).
 * @throws UserError BAD_ARCHIVE for another form, a number beyond 2^53, or a negative one where none may be.
 */
export function numberField(block: Buffer, start: number, length: number, mayBeNegative = false): number {
  if (block[start]! & 0x80) return binaryField(block, start, length, mayBeNegative);
  const end = start + length;
  let at = start;
  while (at < end && (block[at] === space || block[at] === 0)) at++;
  let value = 0;
  for (; at < end; at++) {
    const digit = block[at]! - 48;
    if (digit >= 0 && digit < 8) value = value * 8 + digit;
    else if (block[at] === space || block[at] === 0) break;
    else throw badArchive('a header holds something else where a number belongs');
  }
  return value;
}

const space = 0x20;

function binaryField(block: Buffer, start: number, length: number, mayBeNegative: boolean): number {
  const negative = (block[start]! & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  value = (value << 6n) | BigInt(block[start]! & 0x3f);
  for (let at = start + 1; at < start + length; at++) value = (value << 8n) | BigInt(block[at]!);
  const number = Number(value);
  if (!Number.isSafeInteger(number) || (number < 0 && !mayBeNegative)) throw badArchive('a header holds a number out of range');
  return number;
}

function textField(block: Buffer, start: number, length: number): string {
  const zero = block.indexOf(0, start);
  return decodeName(block.subarray(start, zero < 0 || zero > start + length ? start + length : zero));
}

/** False for a block of zeros. @throws UserError BAD_ARCHIVE when the checksum is wrong. */
function hasChecksum(block: Buffer): boolean {
  let unsigned = 8 * space; // the checksum field counts as spaces
  let high = 0; // bytes above 127: some old writers summed signed characters
  for (let at = 0; at < blockSize; at++) {
    const byte = block[at]!;
    unsigned += byte;
    high += byte >> 7;
  }
  if (unsigned === 8 * space) return false;
  for (let at = 148; at < 156; at++) {
    unsigned -= block[at]!;
    high -= block[at]! >> 7;
  }
  const told = numberField(block, 148, 8);
  if (told !== unsigned && told !== unsigned - 256 * high) throw badArchive('a header is damaged (wrong checksum)');
  return true;
}
