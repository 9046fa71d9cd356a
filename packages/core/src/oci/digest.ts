/** `sha256:` and 64 lower-case hexadecimal digits (image-spec, descriptor.md#digests). */
export type Digest = string & { readonly __brand: 'Digest' };

const digestPattern = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return digestPattern.test(text);
}

/** @throws Error when the text is no sha256 digest. */
function asDigest(text: string): Digest {
  if (!isDigest(text)) throw new Error(`not a sha256 digest: ${text}`);
  return text;
}

export function sha256Digest(hex: string): Digest {
  return asDigest(`sha256:${hex}`);
}
