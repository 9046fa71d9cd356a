import { isDigest, type Digest } from './digest.ts';

/** Manifests and configs longer than this are refused, as the distribution specification advises. */
export const documentLimit: number = 4 * 1024 * 1024;

/** A manifest, index or config that is not what the image specification says. Who knows its name tells the user. */
export class DocumentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DocumentError';
  }
}

/** Names content wherever it is (image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Where else it may be had: of foreign layers, which registries need not have. */
  readonly urls?: readonly string[];
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws DocumentError */
export function parseDocument(bytes: Buffer, what: string): JsonObject {
  if (bytes.length > documentLimit) throw new DocumentError(`its ${what} is longer than 4 MiB`);
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw new DocumentError(`its ${what} is no JSON`);
  }
  return objectOf(value, what);
}

/** @throws DocumentError */
export function objectOf(value: unknown, what: string): JsonObject {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw new DocumentError(`its ${what} is no object`);
  return value as JsonObject;
}

/** @throws DocumentError */
export function arrayOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new DocumentError(`its ${what} is no list`);
  return value as readonly unknown[];
}

/** @throws DocumentError */
export function descriptorOf(value: unknown, what: string): Descriptor {
  const { mediaType, digest, size, urls } = objectOf(value, what);
  if (typeof mediaType !== 'string') throw new DocumentError(`its ${what} has no media type`);
  if (typeof digest !== 'string' || !isDigest(digest)) throw new DocumentError(`its ${what} has no sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw new DocumentError(`its ${what} has no size`);
  const addresses = Array.isArray(urls) ? urls.filter((url) => typeof url === 'string') : [];
  return { mediaType, digest, size, ...(addresses.length > 0 ? { urls: addresses } : {}) };
}

/** Somebody else's text for a message: it can neither command the terminal nor fill it. */
export function shown(text: string): string {
  const harmless = text.replace(/\p{Cc}/gu, '\ufffd');
  return harmless.length > 200 ? `${harmless.slice(0, 200)}…` : harmless;
}
