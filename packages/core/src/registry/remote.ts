import { createHash } from 'node:crypto';
import type { Report } from '../base/events.ts';
import { httpClient, HttpFailure, type HttpResponse } from '../base/http.ts';
import type { UserError } from '../base/errors.ts';
import { documentLimit } from '../oci/document.ts';
import { manifestMediaTypes } from '../oci/manifest.ts';
import type { Reference } from '../oci/reference.ts';
import { Connection, errorText, unreachable, type ConnectionOptions } from './connection.ts';
import { answer, contentRegistry } from './content-registry.ts';
import { eraseCredentials, findCredentials } from './credentials.ts';
import { Endpoint, settingsOf, type Settings } from './endpoint.ts';
import { fetchBlob, isOfNetwork } from './fetch-blob.ts';
import { listTags, searchRegistry } from './listing.ts';
import { login } from './login.ts';
import { PartialDownloads } from './partial-downloads.ts';
import { push } from './push.ts';
import type { Credentials, RemoteRegistry, Repository } from './registry.ts';

export interface RemoteOptions {
  /** Proxies, certificates, where credentials are: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE, DOCKER_CONFIG, REGISTRY_AUTH_FILE, HOME. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly settings?: Settings;
  /** Where transfers that were cut are kept; none: they begin anew. */
  readonly downloads?: string;
  readonly report?: Report;
  readonly signal?: AbortSignal;
  /** First pause before another attempt, ms. */
  readonly pause?: number;
  /** How long a server may be silent, ms. */
  readonly silence?: number;
  /** How often a request is sent before it is given up. */
  readonly attempts?: number;
}

/** Registries over the network (distribution-spec 1.1). https; http for this machine itself, or where the settings say so. */
export function remoteRegistry(options: RemoteOptions): RemoteRegistry {
  const lines = new Lines(options);
  const downloads = options.downloads === undefined ? undefined : new PartialDownloads(options.downloads);
  return {
    ...contentRegistry({
      manifest: (reference) => fetchManifest(lines, reference),
      blob: (reference, descriptor, blobOptions) => {
        const running = blobOptions.keep ? downloads?.take(descriptor) : undefined;
        if (running) return running.read();
        const kept = blobOptions.keep ? downloads?.open(descriptor) : undefined;
        return fetchBlob(reference, descriptor, { ...blobOptions, sources: lines.sources(reference), kept });
      },
      ahead(reference, descriptor, blobOptions) {
        const kept = downloads?.isRunning(descriptor) ? undefined : downloads?.open(descriptor);
        const sources = lines.sources(reference);
        if (kept) downloads!.run(descriptor, fetchBlob(reference, descriptor, { ...blobOptions, sources, kept }), kept);
      },
      ...(downloads ? { forget: (descriptor) => downloads.forget(descriptor) } : {}),
    }),
    put: (reference, image, putOptions = {}) =>
      push(lines.to(reference), reference, image, { ...putOptions, from: (source) => lines.to(source) }),
    tags: (repository, signal) => listTags(lines.to(repository), repository, signal),
    search: (query) => searchRegistry(lines.to({ registry: query.registry, repository: '' }), lines.options.client, query),
    login: (host, password, signal) =>
      login({ ...lines.options, endpoint: lines.endpoint(host), password, env: options.env, signal: signal ?? options.signal }),
    logout: (host) => eraseCredentials(host, options.env),
  };
}

/** One connection for each repository of each registry and mirror. */
class Lines {
  readonly options: Pick<ConnectionOptions, 'client' | 'signal' | 'pause' | 'report' | 'attempts'>;
  readonly #settings: Settings;
  readonly #env: RemoteOptions['env'];
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #connections = new Map<string, Connection>();
  readonly #left = new Set<Connection>();

  constructor({ env, settings = {}, silence, signal, pause, report, attempts }: RemoteOptions) {
    const authoritiesOf = (host: string): string | undefined => settingsOf(settings, host).ca;
    const client = httpClient(env, { authoritiesOf, ...(silence === undefined ? {} : { silence }) });
    this.options = { client, signal, pause, report, ...(attempts === undefined ? {} : { attempts }) };
    this.#settings = settings;
    this.#env = env;
  }

  endpoint(host: string): Endpoint {
    return this.#kept(this.#endpoints, host, () => Endpoint.ofRegistry(host, this.#settings));
  }

  to({ registry, repository }: Repository): Connection {
    return this.#connect(this.endpoint(registry), repository, registry);
  }

  /** In the order in which they are asked. */
  sources({ registry, repository }: Repository): readonly Connection[] {
    const mirrors = (settingsOf(this.#settings, registry).mirrors ?? []).map((address) => {
      const endpoint = this.#kept(this.#endpoints, address, () => Endpoint.ofMirror(address, this.#settings));
      return this.#connect(endpoint, repository, address, { attempts: 2 });
    });
    return [...mirrors.filter((mirror) => !this.#left.has(mirror)), this.to({ registry, repository })];
  }

  /** A mirror that did not do: it is not asked for the rest. */
  leave(mirror: Connection): void {
    this.#left.add(mirror);
  }

  #connect(endpoint: Endpoint, repository: string, place: string, more: Partial<ConnectionOptions> = {}): Connection {
    return this.#kept(this.#connections, `${place} ${repository}`, () => {
      const found = new Map<string, Promise<Credentials | undefined>>();
      let trouble: UserError | undefined;
      const credentials = (host: string): Promise<Credentials | undefined> =>
        this.#kept(found, host, () => findCredentials(host, host === endpoint.host ? repository : '', this.#env, (met) => (trouble = met)));
      return new Connection({ ...this.options, ...more, endpoint, repository, credentials, trouble: () => trouble });
    });
  }

  #kept<T>(map: Map<string, T>, key: string, make: () => T): T {
    const known = map.get(key) ?? make();
    map.set(key, known);
    return known;
  }
}

type Answer = { readonly bytes: Buffer; readonly mediaType?: string } | undefined;

/** The first that has it. What goes wrong at a mirror is no answer; the registry itself is asked last. */
async function fetchManifest(lines: Lines, reference: Reference): Promise<Answer> {
  const sources = lines.sources(reference);
  for (const mirror of sources.slice(0, -1)) {
    try {
      const found = await manifestAt(mirror, reference);
      if (found && (!reference.digest || digestOf(found.bytes) === reference.digest)) return found;
    } catch (error) {
      if (!isOfNetwork(error)) throw error;
    }
    lines.leave(mirror);
  }
  return manifestAt(sources.at(-1)!, reference);
}

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

async function manifestAt(connection: Connection, reference: Reference): Promise<Answer> {
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

async function unexpected(response: HttpResponse, reference: Reference): Promise<UserError> {
  const said = await errorText(response);
  return answer(reference, `the registry answers ${response.status}${said ? ` (${said})` : ''}`);
}
