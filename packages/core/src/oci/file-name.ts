/**
 * File names are bytes; JavaScript strings are not. A name that is no UTF-8 keeps its odd bytes as lone surrogates
 * (U+DC80 … U+DCFF for 0x80 … 0xFF, as PEP 383), so that strings stay exact keys and every name can be written back.
 */
export function decodeName(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\ufffd') ? decodeOddly(bytes) : text;
}

/** The bytes of a name made by `decodeName`. */
export function encodeName(name: string): Buffer {
  if (!oddByte.test(name)) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, 'utf8'));
  }
  return Buffer.concat(parts);
}

/** What node:fs takes for a path: the string itself where that is exact. */
export function pathOf(name: string): string | Buffer {
  return oddByte.test(name) ? encodeName(name) : name;
}

/** True when the name cannot be told as a string to a system call. */
export function isOddName(name: string): boolean {
  return oddByte.test(name);
}

/** Byte order, as `sort` in the C locale; UTF-16 code unit order differs above U+FFFF. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  if (beyondAscii.test(a) || beyondAscii.test(b)) return Buffer.compare(encodeName(a), encodeName(b));
  return a < b ? -1 : 1;
}

const oddByte = /[\udc80-\udcff]/u; // with `u` only lone surrogates match
const beyondAscii = /[^\0-\x7f]/;

function decodeOddly(bytes: Buffer): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const length = sequenceLength(bytes, at);
    text += length === 0 ? String.fromCharCode(0xdc00 + bytes[at]!) : bytes.toString('utf8', at, at + length);
    at += length || 1;
  }
  return text;
}

/** Bytes of the well-formed UTF-8 sequence at a place, 0 when there is none (RFC 3629). */
function sequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at]!;
  const length =
    first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
  if (length <= 1) return length;
  const sequence = bytes.subarray(at, at + length);
  return Buffer.from(sequence.toString('utf8'), 'utf8').equals(sequence) ? length : 0;
}
