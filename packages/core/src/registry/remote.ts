import { httpClient, HttpFailure, type HttpResponse } from '../base/http.ts';
import { UserError } from '../base/errors.ts';
import { documentLimit, type Descriptor } from '../oci/document.ts';
import { manifestMediaTypes } from '../oci/manifest.ts';
import type { Reference } from '../oci/reference.ts';
import { Connection, errorText, unreachable } from './connection.ts';
import { answer, contentRegistry, type BlobOptions } from './content-registry.ts';
import { findCredentials } from './credentials.ts';
import type { RemoteRegistry } from './registry.ts';

export interface RemoteOptions {
  /** Proxies, certificates, where credentials are: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, DOCKER_CONFIG, REGISTRY_AUTH_FILE, HOME. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** First pause before another attempt, ms. */
  readonly pause?: number;
}

/** Registries over the network (distribution-spec 1.1, pull). https; http for this machine itself only. */
export function remoteRegistry(options: RemoteOptions): RemoteRegistry {
  const client = httpClient(options.env);
  const connections = new Map<string, Connection>();
  const connect = (reference: Reference): Connection => {
    const key = `${reference.registry}/${reference.repository}`;
    const known = connections.get(key);
    if (known) return known;
    const credentials = (host: string) => findCredentials(host, host === reference.registry ? reference.repository : '', options.env);
    const { signal, pause } = options;
    const made = new Connection(reference.repository, {
      client,
      host: reference.registry,
      credentials,
      signal,
      ...(pause === undefined ? {} : { pause }),
    });
    connections.set(key, made);
    return made;
  };
  const unfinished = (): never => {
    throw new UserError('NOT_SUPPORTED', 'This is not finished yet.');
  };
  return {
    ...contentRegistry({
      manifest: (reference) => fetchManifest(connect(reference), reference),
      blob: (reference, descriptor, blobOptions) => fetchBlob(connect(reference), reference, descriptor, blobOptions),
    }),
    put: async () => unfinished(),
    tags: async () => unfinished(),
    search: async () => unfinished(),
    login: async () => unfinished(),
    logout: async () => unfinished(),
  };
}

async function fetchManifest(connection: Connection, reference: Reference): Promise<{ bytes: Buffer; mediaType?: string } | undefined> {
  const response = await connection.request(`manifests/${reference.digest ?? reference.tag}`, {
    headers: { accept: manifestMediaTypes.join(', ') },
  });
  if (response.status === 404) {
    response.discard();
    return undefined;
  }
  if (response.status !== 200) throw await unexpected(response, reference);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > documentLimit) throw answer(reference, 'its manifest is longer than 4 MiB');
      chunks.push(chunk);
    }
  } catch (error) {
    throw error instanceof HttpFailure ? unreachable(reference.registry, error) : error;
  }
  const mediaType = response.headers['content-type']?.split(';')[0]?.trim();
  return { bytes: Buffer.concat(chunks), ...(mediaType ? { mediaType } : {}) };
}

/** After a cut it goes on where it was, as long as each attempt brings something. */
async function* fetchBlob(
  connection: Connection,
  reference: Reference,
  descriptor: Descriptor,
  options: BlobOptions,
): AsyncGenerator<Buffer> {
  let offset = 0;
  for (let failures = 0; ;) {
    const start = offset;
    try {
      for await (const chunk of blobFrom(connection, reference, descriptor, { ...options, offset })) {
        offset += chunk.length;
        options.onBytes?.(chunk.length);
        yield chunk;
      }
      if (offset >= descriptor.size) return;
      throw new HttpFailure(`the line was cut after ${offset} of ${descriptor.size} bytes`, { temporary: true });
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error;
      failures = offset > start ? 1 : failures + 1;
      if (!error.temporary || failures >= 5) throw unreachable(reference.registry, error);
      await connection.pause(failures, undefined, options.signal);
    }
  }
}

async function* blobFrom(
  connection: Connection,
  reference: Reference,
  descriptor: Descriptor,
  options: BlobOptions & { offset: number },
): AsyncGenerator<Buffer> {
  const { offset, signal } = options;
  const headers: Record<string, string> = offset > 0 ? { range: `bytes=${offset}-` } : {};
  const response = await connection.request(`blobs/${descriptor.digest}`, { headers, signal });
  const resumed = response.status === 206 && response.headers['content-range']?.startsWith(`bytes ${offset}-`) === true;
  if (response.status !== 200 && !resumed) throw await unexpected(response, reference, descriptor);
  let skip = resumed ? 0 : offset; // who knows no ranges sends everything again
  try {
    for await (const chunk of response.body) {
      const rest = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.length));
      skip -= chunk.length - rest.length;
      if (rest.length > 0) yield rest;
    }
  } finally {
    response.discard();
  }
}

async function unexpected(response: HttpResponse, reference: Reference, descriptor?: Descriptor): Promise<UserError> {
  const said = await errorText(response);
  if (response.status === 404 && descriptor)
    return answer(reference, `the registry has its manifest, and not the blob ${descriptor.digest}`);
  return answer(reference, `the registry answers ${response.status}${said ? ` (${said})` : ''}`);
}
