import { UserError } from '../base/errors.ts';
import type { HttpClient } from '../base/http.ts';
import { documentLimit } from '../oci/document.ts';
import { Connection, unreachable, type Answered } from './connection.ts';
import { isDockerHub } from './credentials.ts';
import type { FoundRepository, Repository, SearchQuery } from './registry.ts';
import { HttpFailure } from '../base/http.ts';

/** Pages of a list, each of at most 4 MiB: more is no list but an attack. */
const mostPages = 200;
const perPage = 1000;

/** Every tag, in the registry's order (distribution-spec, Listing Tags). */
export async function listTags(
  connection: Connection,
  { registry, repository }: Repository,
  signal?: AbortSignal,
): Promise<readonly string[]> {
  const tags: string[] = [];
  for await (const page of pages(connection, `tags/list?n=${perPage}`, signal)) {
    if (page === undefined)
      throw new UserError('IMAGE_NOT_FOUND', `There is no repository ${registry}/${repository}.`, {
        hint: 'Check the spelling. A private one also looks like this to who is not logged in.',
      });
    tags.push(...texts(page['tags']).filter((tag) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/.test(tag)));
  }
  return tags;
}

/** Docker Hub's own search; of others, the part of their catalog that has the text. */
export async function searchRegistry(connection: Connection, client: HttpClient, query: SearchQuery): Promise<readonly FoundRepository[]> {
  return isDockerHub(query.registry) ? searchHub(client, query) : searchCatalog(connection, query);
}

async function searchCatalog(
  connection: Connection,
  { registry, text, limit = 25, signal }: SearchQuery,
): Promise<readonly FoundRepository[]> {
  const found: FoundRepository[] = [];
  connection.want('registry:catalog:*');
  for await (const page of pages(connection, `_catalog?n=${perPage}`, signal)) {
    if (page === undefined)
      throw new UserError('NOT_SUPPORTED', `${registry} has no list of its repositories.`, { hint: 'Search on its own site.' });
    for (const name of texts(page['repositories'])) {
      if (!/^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/.test(name) || !name.includes(text.toLowerCase())) continue;
      found.push({ name: `${registry}/${name}` });
      if (found.length === limit) return found;
    }
  }
  return found;
}

/** As `docker search` asks: no login, no other form of answer has been stable. */
async function searchHub(client: HttpClient, { text, limit = 25, signal }: SearchQuery): Promise<readonly FoundRepository[]> {
  const url = new URL('https://index.docker.io/v1/search');
  url.searchParams.set('q', text);
  url.searchParams.set('n', String(Math.min(100, limit)));
  return readHubAnswer(await askHub(client, url, signal), limit);
}

async function askHub(client: HttpClient, url: URL, signal: AbortSignal | undefined): Promise<Record<string, unknown>> {
  try {
    const response = await client(url, { headers: { 'user-agent': 'devenv', accept: 'application/json' }, signal });
    if (response.status === 200) return await document({ ...response, url });
    response.discard();
    if (response.status === 429)
      throw new UserError('REGISTRY_LIMIT', 'Docker Hub limits how often it may be asked.', { hint: 'Try again later.' });
    throw new UserError('REGISTRY_ANSWER', `Docker Hub's search cannot be used: it answers ${response.status}.`);
  } catch (error) {
    throw error instanceof HttpFailure ? unreachable(url.host, error) : error;
  }
}

/** What Docker Hub's search says; everything in it was written by strangers. */
function readHubAnswer(answer: Record<string, unknown>, limit: number): readonly FoundRepository[] {
  const results = Array.isArray(answer['results']) ? (answer['results'] as unknown[]) : [];
  return results.slice(0, limit).flatMap((value): FoundRepository[] => {
    const { name, description, star_count: stars, is_official: official } = (value ?? {}) as Record<string, unknown>;
    if (typeof name !== 'string' || !/^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/.test(name)) return [];
    return [
      {
        name: `docker.io/${name.includes('/') ? name : `library/${name}`}`,
        ...(typeof description === 'string' && description !== '' ? { description: printable(description) } : {}),
        ...(typeof stars === 'number' ? { stars } : {}),
        official: official === true,
      },
    ];
  });
}

function printable(text: string): string {
  return text
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

/** Undefined when there is no such list. */
async function* pages(
  connection: Connection,
  first: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Record<string, unknown> | undefined> {
  let next: string | URL | undefined = first;
  for (let count = 0; next !== undefined; count++) {
    if (count === mostPages) throw connection.answer('its list has no end');
    const response: Answered = await connection.request(next, { signal });
    if (response.status === 404 || response.status === 405) {
      response.discard();
      yield undefined;
      return;
    }
    if (response.status !== 200) {
      response.discard();
      throw connection.answer(`it answers ${response.status} when it is asked for a list`);
    }
    const link = /<([^>]*)>\s*;\s*rel="?next"?/.exec(response.headers['link'] ?? '')?.[1];
    next = link === undefined ? undefined : connection.redirected(link, response.url);
    yield await document(response).catch((error: unknown) => {
      throw error instanceof HttpFailure ? unreachable(connection.host, error) : error;
    });
  }
}

async function document(response: Answered): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > documentLimit) throw unusable(response, 'its list is longer than 4 MiB');
    chunks.push(chunk);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // the same as no object
  }
  throw unusable(response, 'its list is no JSON object');
}

function unusable({ url }: Answered, why: string): UserError {
  return new UserError('REGISTRY_ANSWER', `The answer of ${url.host} cannot be used: ${why}.`);
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text): text is string => typeof text === 'string') : [];
}
