import { UserError } from '../base/errors.ts';
import { HttpFailure } from '../base/http.ts';
import type { Descriptor } from '../oci/document.ts';
import type { Reference } from '../oci/reference.ts';
import { errorText, unreachable, type Answered, type Connection } from './connection.ts';
import { answer, type BlobOptions } from './content-registry.ts';
import type { PartialDownload } from './partial-downloads.ts';

const attempts = 5;

export interface FetchOptions extends BlobOptions {
  /** The registry itself, behind mirrors that are asked first. */
  readonly sources: readonly Connection[];
  readonly kept: PartialDownload | undefined;
}

/** After a cut it goes on where it was, as long as each attempt brings something; what is kept from an earlier pull comes first. */
export async function* fetchBlob(reference: Reference, descriptor: Descriptor, options: FetchOptions): AsyncGenerator<Buffer> {
  const { kept, sources, signal, onBytes } = options;
  await using _closed = kept;
  let offset = 0;
  if (kept)
    for await (const chunk of kept.read(options)) {
      offset += chunk.length;
      yield chunk;
    }
  let source = 0;
  for (let failures = 0; offset < descriptor.size || offset === 0;) {
    const start = offset;
    try {
      for await (const chunk of blobFrom(sources[source]!, reference, descriptor, { ...(signal ? { signal } : {}), offset })) {
        offset += chunk.length;
        onBytes?.(chunk.length);
        await kept?.append(chunk);
        yield chunk;
      }
      if (offset >= descriptor.size) return;
      throw new HttpFailure(`the line was cut after ${offset} of ${descriptor.size} bytes`, { temporary: true });
    } catch (error) {
      // A mirror is a help, never a hindrance.
      if (isOfNetwork(error) && source < sources.length - 1) {
        source++;
        continue;
      }
      if (!(error instanceof HttpFailure)) throw error;
      failures = offset > start ? 1 : failures + 1;
      if (!error.temporary || failures >= attempts || (error.reason === 'silence' && failures > 1))
        throw unreachable(reference.registry, error);
      await sources[source]!.pause(failures, signal);
    }
  }
}

/** Of the registry or the way to it, so that another may do better. */
export function isOfNetwork(error: unknown): boolean {
  return error instanceof HttpFailure || (error instanceof UserError && error.code.startsWith('REGISTRY_'));
}

async function* blobFrom(
  connection: Connection,
  reference: Reference,
  descriptor: Descriptor,
  { offset, signal }: { readonly offset: number; readonly signal?: AbortSignal },
): AsyncGenerator<Buffer> {
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const response = await request(connection, reference, descriptor, { headers, signal });
  const resumed = response.status === 206 && response.headers['content-range']?.startsWith(`bytes ${offset}-`) === true;
  let skip = resumed ? 0 : offset; // who knows no ranges sends everything again
  let left = descriptor.size - offset;
  try {
    for await (const chunk of response.body) {
      const rest = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
      left -= rest.length;
      if (rest.length > 0) yield rest;
      if (left < 0) return; // who asked for it will see that it is too long
    }
  } finally {
    response.discard();
  }
}

async function request(
  connection: Connection,
  reference: Reference,
  descriptor: Descriptor,
  options: { readonly headers: Record<string, string>; readonly signal: AbortSignal | undefined },
): Promise<Answered> {
  const response = await connection.request(`blobs/${descriptor.digest}`, options);
  if (response.status === 200 || response.status === 206) return response;
  const said = await errorText(response);
  if (response.status !== 404) throw answer(reference, `the registry answers ${response.status}${said ? ` (${said})` : ''}`);
  for (const address of descriptor.urls ?? []) {
    // A foreign layer. Its address is the image's word: nothing of ours goes there.
    const elsewhere = await connection.foreign(address, options);
    if (elsewhere) return elsewhere;
  }
  throw answer(reference, `the registry has its manifest, and not the blob ${descriptor.digest}`);
}
