import { badArchive } from './bad-archive.ts';
import { decodeName } from './file-name.ts';
import type { TarHeader } from './tar-header.ts';

/** Records of an extended header: keyword to value, as bytes. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

const attributePrefix = 'SCHILY.xattr.';

/**
 * The records of an extended header (POSIX.1 pax, `length keyword=value\n`). Values may hold any byte. The repeated
 * offsets and lengths of GNU's sparse format 0.0 become one `GNU.sparse.map`, as in format 0.1.
 * @throws UserError BAD_ARCHIVE
 */
export function parsePax(bytes: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  const sparse: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : bytes.toString('latin1', at, space);
    const end = at + Number(digits);
    const equals = bytes.indexOf(0x3d, space);
    if (!/^[0-9]{1,7}$/.test(digits) || end > bytes.length || bytes[end - 1] !== 0x0a || equals <= space + 1 || equals >= end) {
      throw badArchive('an extended header is damaged');
    }
    const keyword = bytes.toString('utf8', space + 1, equals);
    const value = Buffer.from(bytes.subarray(equals + 1, end - 1));
    if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') {
      if ((keyword === 'GNU.sparse.offset') !== (sparse.length % 2 === 0)) throw badArchive('a sparse map is damaged');
      sparse.push(value.toString('latin1'));
    } else {
      records.set(keyword, value);
    }
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', Buffer.from(sparse.join(',')));
  return records;
}

/** Lets the records override the header. An empty value deletes what a global record said. @throws UserError BAD_ARCHIVE */
export function applyPax(header: TarHeader, records: PaxRecords): void {
  let attributes: Map<string, Buffer> | undefined;
  for (const [keyword, value] of records) {
    if (keyword.startsWith(attributePrefix)) {
      (attributes ??= new Map()).set(keyword.slice(attributePrefix.length), value);
    } else if (value.length > 0) {
      override(header, keyword, value);
    }
  }
  header.attributes = attributes;
}

function override(header: TarHeader, keyword: string, value: Buffer): void {
  switch (keyword) {
    case 'path':
      header.name = textOf(value);
      return;
    case 'linkpath':
      header.target = textOf(value);
      return;
    case 'size':
      header.size = header.stored = integerOf(keyword, value);
      return;
    case 'uid':
      header.uid = integerOf(keyword, value);
      return;
    case 'gid':
      header.gid = integerOf(keyword, value);
      return;
    case 'mtime':
      [header.seconds, header.nanoseconds] = timeOf(value);
  }
}

function textOf(value: Buffer): string {
  if (value.includes(0)) throw badArchive('a name holds a zero byte');
  return decodeName(value);
}

/** A decimal that is no negative number. @throws UserError BAD_ARCHIVE */
export function integerOf(keyword: string, value: Buffer): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^[0-9]+$/.test(text) || !Number.isSafeInteger(number)) throw badArchive(`${keyword} is no number that can be used`);
  return number;
}

/** `1700000000.123456789`: whole seconds rounded down, and nanoseconds. */
function timeOf(value: Buffer): [seconds: number, nanoseconds: number] {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value.toString('latin1'));
  if (!match) throw badArchive('a time is no number');
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (!match[1]) return [Number(match[2]), nanoseconds];
  return nanoseconds === 0 ? [0 - Number(match[2]), 0] : [-Number(match[2]) - 1, 1e9 - nanoseconds];
}
