import { createHash } from 'node:crypto';
import { UserError } from '../base/errors.ts';
import type { Digest } from './digest.ts';

export interface Expectation {
  readonly digest: Digest;
  /** Bytes, when known: a longer stream ends at once. */
  readonly size?: number;
  /** For people: `layer sha256:…`, `config of …`. */
  readonly what: string;
}

/**
 * Passes bytes on and ends only when they were the ones expected.
 * @throws UserError DIGEST_MISMATCH
 */
export async function* verified(source: AsyncIterable<Buffer>, { digest, size, what }: Expectation): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let count = 0;
  for await (const chunk of source) {
    count += chunk.length;
    if (size !== undefined && count > size) throw mismatch(what, `it is longer than ${size} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== undefined && count !== size) throw mismatch(what, `it has ${count} bytes instead of ${size}`);
  const found = `sha256:${hash.digest('hex')}`;
  if (found !== digest) throw mismatch(what, `its digest is ${found} instead of ${digest}`);
}

export function mismatch(what: string, why: string): UserError {
  return new UserError('DIGEST_MISMATCH', `The ${what} is not what was asked for: ${why}.`, {
    hint: 'Something between here and where it comes from changed it, or it is damaged there. Fetch it again; if it stays so, tell who provides it.',
  });
}
