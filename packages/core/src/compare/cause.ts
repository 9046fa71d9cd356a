import { gunzipSync } from 'node:zlib';
import type { Content } from './file-facts.ts';
import type { LayerDifference } from './compare-layers.ts';

/** Why the same step gave something else. */
export type Cause = 'time stamp' | 'ordering' | 'random bytes' | 'path' | 'network content';

/**
 * The kind of cause of one difference, by what is different in it. Undefined: nothing that is known; then it came over the
 * network, or chance is in it.
 */
export function causeOf(difference: LayerDifference, all: readonly LayerDifference[]): Cause | undefined {
  if (difference.where !== 'both') return causeOfName(difference, all);
  if (difference.what.includes('content')) {
    return causeOfContent(bytesOf(difference.a?.content), bytesOf(difference.b?.content));
  }
  if (difference.what.includes('target')) return causeOfContent(Buffer.from(difference.a!.target!), Buffer.from(difference.b!.target!));
  return difference.what.every((what) => what === 'time') ? 'time stamp' : undefined;
}

/** A name that has a partner on the other side, apart from what changes in it from run to run. */
function causeOfName({ path, where }: LayerDifference, all: readonly LayerDifference[]): Cause | undefined {
  const others = all.filter((other) => other.where !== where && other.where !== 'both').map((other) => other.path);
  for (const kind of ['time stamp', 'random bytes'] as const) {
    const masked = mask(path, kind);
    if (masked !== path && others.some((other) => mask(other, kind) === masked)) return kind;
  }
  return undefined;
}

/** Undefined also when the bytes are not at hand. */
export function causeOfContent(a: Buffer | undefined, b: Buffer | undefined): Cause | undefined {
  if (!a || !b) return undefined;
  const [one, other] = [unpacked(a), unpacked(b)];
  if (one && other) return one.equals(other) ? 'time stamp' : causeOfContent(one, other); // the time in gzip's header
  if (a.includes(0) && hasOtherWordOfTime(a, b)) return 'time stamp';
  const [text, otherText] = [a.toString('latin1'), b.toString('latin1')];
  for (const kind of ['time stamp', 'path'] as const) if (mask(text, kind) === mask(otherText, kind)) return kind;
  if (isReordered(text, otherText)) return 'ordering';
  // A sum over something with a time in it looks like chance.
  if (mask(text, 'random bytes') === mask(otherText, 'random bytes')) return hasOtherTimes(text, otherText) ? 'time stamp' : 'random bytes';
  // Several causes at once: the one that explains a part is worth more than none.
  const both = (value: string): string => mask(mask(value, 'time stamp'), 'path');
  if (mask(both(text), 'random bytes') === mask(both(otherText), 'random bytes')) return 'time stamp';
  if (isReordered(both(text), both(otherText))) return 'ordering';
  return a.length === b.length && isScattered(a, b) ? 'random bytes' : undefined;
}

const masks: Readonly<Record<'time stamp' | 'path' | 'random bytes', readonly RegExp[]>> = {
  'time stamp': [
    /\d{4}[-/]\d\d[-/]\d\d(?:[T _]?\d\d:?\d\d(?::?\d\d(?:[.,]\d+)?)?)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?/g,
    /(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +(?:\d{1,2} +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b(?: +\d{1,2})?/g,
    /(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2},?(?: +\d{4})?/g,
    /\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b(?: ?[AP]M)?/g,
    /\b20\d{6}(?:[-T_]?\d{4,6}Z?)?\b/g,
    /\b1[6-9]\d{8}(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?\b/g, // seconds to nanoseconds since 1970, from 2020 to 2033
    /[0-7]{11}[\0 ][0-7]{6}\0 /g, // a member's time in tar, and the sum over it
    /:2\d{4}(?=:)/g, // days since 1970, shadow(5)
    /\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|sec|seconds?)\b/g, // how long it took
  ],
  path: [/\/(?:tmp|var\/tmp|run|build|dev\/shm|(?:root|home\/[^/\s]+)\/\.cache)\/[^\s"'`:;,)\]}\0]+/g],
  'random bytes': [
    /\b[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}\b/gi,
    /\b(?=[a-f]*\d)[0-9a-f]{6,}\b/gi,
    /\b[A-Za-z0-9+/_-]{16,}={0,2}/g,
    /(?<=[._-])(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6,}\b/g, // mktemp(1)
    /\b\d{4,}\b/g,
  ],
};

function mask(text: string, kind: keyof typeof masks): string {
  return masks[kind].reduce((masked, pattern) => masked.replaceAll(pattern, '…'), text);
}

function hasOtherTimes(a: string, b: string): boolean {
  const times = (text: string): string => masks['time stamp'].flatMap((pattern) => text.match(pattern) ?? []).join('\n');
  return times(a) !== times(b);
}

/** The same lines, words, or blocks of an archive, in another order. */
function isReordered(a: string, b: string): boolean {
  if (a.length !== b.length || a === b) return false;
  const sorted = (text: string, separator: RegExp): string => text.split(separator).toSorted().join('\n');
  const separators = [/\n/, /[\s,;:{}[\]()"']+/];
  return separators.some((separator) => sorted(a, separator) === sorted(b, separator)) || blocks(a) === blocks(b);
}

/** tar's, sorted; the text itself when it has none. */
function blocks(text: string): string {
  if (text.length % 512 !== 0 || text.length === 0) return text;
  return Array.from({ length: text.length / 512 }, (_, index) => text.slice(index * 512, (index + 1) * 512))
    .toSorted()
    .join('');
}

/** Only words of 32 bits differ, all of them times of these years, and little else: headers of compiled files and archives. */
function hasOtherWordOfTime(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length || a.length < 4) return false;
  let words = 0;
  for (let at = 0; at < a.length; at++) {
    if (a[at] === b[at]) continue;
    const start = [at, at - 1, at - 2, at - 3].find((place) => isTime(a, place) && isTime(b, place));
    if (start === undefined || ++words > 64) return false;
    at = start + 3;
  }
  return words > 0;
}

function isTime(bytes: Buffer, at: number): boolean {
  if (at < 0 || at + 4 > bytes.length) return false;
  if (bytes.subarray(at, at + 4).every((byte) => byte >= 0x20 && byte < 0x7f)) return false; // letters, which as a number are of these years
  const isNear = (seconds: number): boolean => seconds > 1_577_836_800 && seconds < Date.now() / 1000 + 86_400; // since 2020
  return isNear(bytes.readUInt32LE(at)) || isNear(bytes.readUInt32BE(at));
}

/** Where they differ, nearly every byte does: as chance has it, not as another version. */
function isScattered(a: Buffer, b: Buffer): boolean {
  const first = a.findIndex((byte, at) => byte !== b[at]);
  const last = a.findLastIndex((byte, at) => byte !== b[at]);
  let different = 0;
  const values = new Set<number>();
  for (let at = first; at <= last; at++) {
    if (a[at] !== b[at]) different++;
    values.add(a[at]!);
  }
  const length = last - first + 1;
  return different / length > 0.9 && values.size > Math.min(length, 256) / 2;
}

function unpacked(bytes: Buffer): Buffer | undefined {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return undefined;
  try {
    return gunzipSync(bytes, { maxOutputLength: 256 * 1024 * 1024 });
  } catch {
    return undefined;
  }
}

function bytesOf(content: Content | undefined): Buffer | undefined {
  return content?.bytes();
}
