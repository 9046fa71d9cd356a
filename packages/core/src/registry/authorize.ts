import { UserError } from '../base/errors.ts';
import { HttpFailure, isLoopback, type HttpClient, type HttpResponse } from '../base/http.ts';
import type { Challenge } from './challenge.ts';
import { isDockerHub, type Credentials } from './credentials.ts';

export interface AuthorizeOptions {
  readonly client: HttpClient;
  readonly credentials: (host: string) => Credentials | undefined;
  /** The registry as in names of images, and where it was asked. */
  readonly registry: string;
  readonly origin: URL;
  readonly scope: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * An Authorization header that answers a challenge, or undefined when we have nothing to answer with. Credentials go to the
 * host they were stored for and to no other, whatever realm the registry names.
 * @throws UserError REGISTRY_DENIED, REGISTRY_ANSWER; HttpFailure
 */
export async function authorize(challenges: readonly Challenge[], options: AuthorizeOptions): Promise<string | undefined> {
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  const own = options.credentials(options.registry);
  if (own?.kind === 'bearer') return `Bearer ${own.token}`;
  if (bearer) return `Bearer ${await token(bearer, options)}`;
  const basic = challenges.some(({ scheme }) => scheme === 'basic');
  return basic && own?.kind === 'password' ? basicHeader(own) : undefined;
}

/** https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/ */
async function token(challenge: Challenge, options: AuthorizeOptions): Promise<string> {
  const { client, registry, origin, signal } = options;
  const realm = realmOf(challenge, options);
  const sameHost = realm.host === origin.host || (isDockerHub(registry) && isDockerHub(realm.host));
  const credentials = options.credentials(sameHost ? registry : realm.host);
  const service = challenge.parameters['service'];
  const scope = challenge.parameters['scope'] || options.scope;
  let response: HttpResponse;
  if (credentials?.kind === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.token,
      client_id: 'devenv',
      scope,
      ...(service ? { service } : {}),
    });
    response = await client(realm, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: form.toString(),
      signal,
    });
  } else {
    if (service) realm.searchParams.set('service', service);
    for (const part of scope.split(' ')) realm.searchParams.append('scope', part);
    const headers: Record<string, string> = credentials?.kind === 'password' ? { authorization: basicHeader(credentials) } : {};
    response = await client(realm, { headers, signal });
  }
  return tokenOf(response, realm, registry);
}

function realmOf(challenge: Challenge, { origin, registry }: AuthorizeOptions): URL {
  const text = challenge.parameters['realm'] ?? '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname) && isLoopback(origin.hostname));
  if (!url || !safe)
    throw new UserError('REGISTRY_ANSWER', `${registry} wants a token from ${JSON.stringify(text)}, which is no safe address.`);
  url.username = url.password = '';
  return url;
}

async function tokenOf(response: HttpResponse, realm: URL, registry: string): Promise<string> {
  if (response.status === 429 || response.status >= 500) {
    response.discard();
    throw new HttpFailure(`${realm.host} cannot give a token now: it answers ${response.status}`, { temporary: true });
  }
  if (response.status !== 200) {
    response.discard();
    throw new UserError('REGISTRY_DENIED', `${realm.host} gives no token for ${registry}: it answers ${response.status}.`, {
      hint: `Log in again (docker login ${registry}).`,
    });
  }
  const bytes: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    bytes.push(chunk);
    size += chunk.length;
    if (size > 1024 * 1024) break;
  }
  let document: { token?: unknown; access_token?: unknown } = {};
  try {
    document = JSON.parse(Buffer.concat(bytes).toString()) as typeof document;
  } catch {
    // the same as no token
  }
  const found = document?.token ?? document?.access_token;
  if (typeof found !== 'string' || !/^[\x21-\x7e]+$/.test(found))
    throw new UserError('REGISTRY_ANSWER', `${realm.host} answers without a token for ${registry}.`);
  return found;
}

function basicHeader(credentials: { readonly user: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
}
