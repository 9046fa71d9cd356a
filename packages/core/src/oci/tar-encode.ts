import { compareNames, encodeName } from './file-name.ts';

/** What a header says, in the one form that we write. */
export interface HeaderFields {
  /** `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` directory, `6` fifo. */
  readonly flag: string;
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly seconds: number;
  readonly size: number;
  readonly target?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly attributes?: ReadonlyMap<string, Buffer>;
}

/** A ustar header; before it a pax header with what ustar cannot hold, its records sorted by keyword. */
export function encodeHeader(fields: HeaderFields): Buffer {
  const records: [keyword: string, value: Buffer][] = [];
  const name = encodeName(fields.name);
  const target = encodeName(fields.target ?? '');
  if (!fitsName(name)) records.push(['path', name]);
  if (!fitsName(target)) records.push(['linkpath', target]);
  if (fields.uid > sevenDigits) records.push(['uid', Buffer.from(String(fields.uid))]);
  if (fields.gid > sevenDigits) records.push(['gid', Buffer.from(String(fields.gid))]);
  if (fields.size > elevenDigits) records.push(['size', Buffer.from(String(fields.size))]);
  if (fields.seconds < 0 || fields.seconds > elevenDigits) records.push(['mtime', Buffer.from(String(fields.seconds))]);
  for (const [attribute, value] of fields.attributes ?? []) records.push([`SCHILY.xattr.${attribute}`, value]);
  const header = block(fields, name, target);
  if (records.length === 0) return header;
  const body = Buffer.concat(records.toSorted(([a], [b]) => compareNames(a, b)).map(record));
  const pax = block({ flag: 'x', mode: 0o644, uid: 0, gid: 0, seconds: 0, size: body.length }, Buffer.from('PaxHeader'), Buffer.alloc(0));
  return Buffer.concat([pax, body, Buffer.alloc(paddingOf(body.length)), header]);
}

/** Bytes of zeros after content of a size. */
export function paddingOf(size: number): number {
  return (512 - (size % 512)) % 512;
}

const sevenDigits = 0o7777777;
const elevenDigits = 0o77777777777;

/** Short, and ASCII: what else the bytes mean only pax defines (UTF-8). */
function fitsName(name: Buffer): boolean {
  return name.length <= 100 && name.every((byte) => byte < 0x80);
}

type BlockFields = Pick<HeaderFields, 'flag' | 'mode' | 'uid' | 'gid' | 'seconds' | 'size' | 'major' | 'minor'>;

function block(fields: BlockFields, name: Buffer, target: Buffer): Buffer {
  const bytes = Buffer.alloc(512);
  name.copy(bytes, 0, 0, 100);
  octal(bytes, 100, 7, fields.mode);
  octal(bytes, 108, 7, fields.uid > sevenDigits ? 0 : fields.uid);
  octal(bytes, 116, 7, fields.gid > sevenDigits ? 0 : fields.gid);
  octal(bytes, 124, 11, fields.size > elevenDigits ? 0 : fields.size);
  octal(bytes, 136, 11, fields.seconds < 0 || fields.seconds > elevenDigits ? 0 : fields.seconds);
  bytes.fill(' ', 148, 156);
  bytes.write(fields.flag, 156, 'latin1');
  target.copy(bytes, 157, 0, 100);
  bytes.write('ustar\x0000', 257, 'latin1');
  octal(bytes, 329, 7, fields.major ?? 0);
  octal(bytes, 337, 7, fields.minor ?? 0);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  octal(bytes, 148, 6, sum);
  bytes[154] = 0;
  return bytes;
}

function octal(bytes: Buffer, start: number, digits: number, value: number): void {
  bytes.write(value.toString(8).padStart(digits, '0'), start, 'latin1');
}

/** `length keyword=value\n`, where the length counts its own digits. */
function record([keyword, value]: readonly [string, Buffer]): Buffer {
  const rest = Buffer.concat([Buffer.from(' '), encodeName(keyword), Buffer.from('='), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
