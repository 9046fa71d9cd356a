import type { Random } from './random.ts';

const texts = ['', '\0', '/', '..', 'sha256:', `sha256:${'0'.repeat(64)}`, `SHA256:${'A'.repeat(64)}`, `sha512:${'0'.repeat(128)}`, '__proto__', 'constructor', '\ud800', '\u001b[2J', '9'.repeat(400), 'x'.repeat(70_000), 'linux', 'unknown', 'application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.manifest.v1+json', 'application/vnd.docker.distribution.manifest.v1+prettyjws', '../../etc/passwd', 'http://127.0.0.1/', '2026-13-45T99:99:99Z', '+999999-01-01T00:00:00Z']; // prettier-ignore
const shortTexts = texts.filter((text) => text.length < 100);
const numbers = [0, -0, -1, 1, 0.5, 2 ** 31, 2 ** 32, 2 ** 53, 2 ** 53 - 1, 1e308, 4 * 1024 * 1024 + 1, Number.MIN_VALUE];
const keys = ['schemaVersion', 'mediaType', 'config', 'layers', 'manifests', 'digest', 'size', 'urls', 'annotations', 'platform', 'os', 'architecture', 'variant', 'rootfs', 'diff_ids', 'history', 'Env', 'Cmd', 'Labels', 'ExposedPorts', 'Volumes', 'created', 'Config', 'RepoTags', 'Layers', 'fsLayers', '__proto__', 'toString', 'length']; // prettier-ignore

/** A document with some of its members changed, taken away, doubled or moved; now and then with bytes changed. */
export function mutateDocument(bytes: Buffer, random: Random, others: readonly Buffer[]): Buffer {
  if (random.below(8) === 0) return mutateBytes(bytes, random);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return mutateBytes(bytes, random);
  }
  for (let count = random.below(4); count >= 0; count--) value = mutateValue(value, random, others);
  const text = JSON.stringify(value) ?? '';
  return random.below(20) === 0 ? mutateBytes(Buffer.from(text), random) : Buffer.from(text);
}

function mutateValue(value: unknown, random: Random, others: readonly Buffer[]): unknown {
  if (value !== null && typeof value === 'object' && random.below(4) !== 0) {
    const list = Array.isArray(value);
    const entries = Object.entries(value);
    if (entries.length > 0) {
      const at = random.below(entries.length);
      const [key, inner] = entries[at]!;
      switch (random.below(7)) {
        case 0:
          entries.splice(at, 1);
          break;
        case 1:
          entries.push([list ? '' : random.pick(keys), strange(random, others)]);
          break;
        case 2:
          entries.push([list ? '' : random.pick(keys), inner]);
          break;
        default:
          entries[at] = [key, mutateValue(inner, random, others)];
      }
      return list ? entries.map(([, item]) => item) : Object.fromEntries(entries);
    }
  }
  return strange(random, others);
}

function strange(random: Random, others: readonly Buffer[]): unknown {
  switch (random.below(9)) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 0;
    case 2:
      return random.pick(numbers);
    case 3:
      return [];
    case 4:
      return {};
    case 5:
      return nested(random.pick([3, 3, 3, 100, 2000]));
    case 6:
      return documentOf(random.pick(others));
    case 7:
      return Array.from({ length: random.pick([1, 1, 1, 130, 1000]) }, () => random.pick(shortTexts));
    default:
      return random.pick(texts);
  }
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

function documentOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return bytes.toString('latin1', 0, 100);
  }
}

const nastyBytes = [0, 1, 0x20, 0x2f, 0x30, 0x37, 0x7f, 0x80, 0xff];

/** Bytes changed, taken away, doubled; the end cut off. */
function mutateBytes(bytes: Buffer, random: Random): Buffer {
  let result = Buffer.from(bytes);
  for (let count = random.below(4); count >= 0 && result.length > 0; count--) {
    const at = random.below(result.length);
    const length = random.below(Math.min(600, result.length - at)) + 1;
    switch (random.below(5)) {
      case 0:
        result[at] = random.pick(nastyBytes);
        break;
      case 1:
        result[at]! ^= 1 << random.below(8);
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(at + length)]);
        break;
      case 3:
        result = Buffer.concat([result.subarray(0, at + length), result.subarray(at)]);
        break;
      default:
        result = result.subarray(0, at);
    }
  }
  return result;
}

const blockSize = 512;
/** Offset and length of the fields of a header (POSIX, ustar). */
const fields = [[0, 100], [100, 8], [108, 8], [116, 8], [124, 12], [136, 12], [156, 1], [157, 100], [257, 6], [263, 2], [265, 32], [329, 8], [337, 8], [345, 155], [386, 97], [483, 12]] as const; // prettier-ignore
const flags = [...'0123457xgLKSVXDMN\0Z'];
const fieldTexts = ['', '0', '1', '777', '77777777777', '00000000001', '-1', '9', ' 7 ', '../x', '/etc/passwd', 'a/../../b', '\xff'.repeat(8), '\x80\0\0\0\0\0\0\0\0\0\0\x01', '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff', '.wh.', '.wh..wh..opq', '.wh..wh.x', 'x'.repeat(155)]; // prettier-ignore
const records = ['size', 'path', 'linkpath', 'mtime', 'uid', 'gid', 'GNU.sparse.major', 'GNU.sparse.minor', 'GNU.sparse.name', 'GNU.sparse.realsize', 'GNU.sparse.map', 'GNU.sparse.size', 'GNU.sparse.numblocks', 'SCHILY.xattr.user.x', 'SCHILY.xattr.trusted.overlay.opaque', 'LIBARCHIVE.xattr.a', 'hdrcharset']; // prettier-ignore

/** An archive with fields of headers changed, most with a checksum that fits, members moved about, and extended headers put in. */
export function mutateArchive(bytes: Buffer, random: Random): Buffer {
  if (random.below(10) === 0) return mutateBytes(bytes, random);
  // A few members of a large archive are enough, and fast.
  const headers = headersOf(bytes);
  if (headers.length === 0) return mutateBytes(bytes, random);
  let result = Buffer.from(bytes);
  for (let count = random.below(4); count >= 0; count--) {
    const at = random.pick(headers);
    if (at + blockSize > result.length) continue;
    switch (random.below(5)) {
      case 0:
        result = Buffer.concat([result.subarray(0, at), extendedHeader(random), result.subarray(at)]);
        break;
      case 1: {
        const other = random.pick(headers);
        result.copy(result, at, other, Math.min(other + blockSize, result.length));
        break;
      }
      default:
        mutateHeader(result.subarray(at, at + blockSize), random);
    }
  }
  return random.below(5) === 0 ? mutateBytes(result, random) : result;
}

function headersOf(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at + blockSize <= bytes.length; at += blockSize)
    if (bytes.toString('latin1', at + 257, at + 262) === 'ustar') found.push(at);
  return found;
}

function mutateHeader(header: Buffer, random: Random): void {
  const [offset, length] = random.pick(fields);
  if (offset === 156) header[156] = random.pick(flags).charCodeAt(0);
  else
    header.write(
      random
        .pick(fieldTexts)
        .slice(0, length)
        .padEnd(random.below(2) === 0 ? length : 0, '\0'),
      offset,
      'latin1',
    );
  if (random.below(20) !== 0) sum(header);
}

function extendedHeader(random: Random): Buffer {
  const body = Array.from({ length: random.below(3) + 1 }, () =>
    record(random.pick(records), random.pick([...fieldTexts, '0,5,7,9', '1', '99999999999'])),
  );
  const content = Buffer.from(body.join(''), 'latin1');
  const header = Buffer.alloc(blockSize);
  header.write('extended', 0);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(random.pick(['x', 'g', 'L', 'K']), 156);
  header.write('ustar\x0000', 257);
  sum(header);
  return Buffer.concat([header, content, Buffer.alloc((blockSize - (content.length % blockSize)) % blockSize)]);
}

function record(keyword: string, value: string): string {
  const rest = ` ${keyword}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length++;
  return `${length}${rest}`;
}

function sum(header: Buffer): void {
  header.write('        ', 148);
  const total = header.reduce((sofar, byte) => sofar + byte, 0);
  header.write(`${total.toString(8).padStart(6, '0')}\0 `, 148);
}
