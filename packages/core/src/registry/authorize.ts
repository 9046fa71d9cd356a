import { UserError } from '../base/errors.ts';
import { HttpFailure, type HttpClient, type HttpResponse } from '../base/http.ts';
import type { Challenge } from './challenge.ts';
import type { Credentials } from './registry.ts';
import type { Endpoint } from './endpoint.ts';

export interface AuthorizeOptions {
  readonly client: HttpClient;
  readonly endpoint: Endpoint;
  readonly credentials: (host: string) => Promise<Credentials | undefined>;
  /** What a token is to be good for: `repository:NAME:pull`. */
  readonly scopes: readonly string[];
  readonly signal?: AbortSignal | undefined;
}

export interface Authorization {
  /** Value of the header; undefined when we have nothing to answer with. */
  readonly header: string | undefined;
  /** Host of a token server that was asked without the credentials of the registry, since they are not meant for it. */
  readonly withheld?: string;
}

/**
 * Answers a challenge. Credentials go to the host they were stored for, and to a token server elsewhere only when it is known to
 * be the registry's: whoever answers in a registry's name could name any (docs/decisions/0013).
 * @throws UserError REGISTRY_DENIED, REGISTRY_LIMIT, REGISTRY_ANSWER; HttpFailure
 */
export async function authorize(challenges: readonly Challenge[], options: AuthorizeOptions): Promise<Authorization> {
  const own = await options.credentials(options.endpoint.host);
  if (own?.kind === 'bearer') return { header: `Bearer ${own.token}` };
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
  if (bearer) return tokenFor(bearer, own, options);
  const basic = challenges.some(({ scheme }) => scheme === 'basic');
  return { header: basic && own?.kind === 'password' ? basicHeader(own) : undefined };
}

export function basicHeader(credentials: { readonly user: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString('base64')}`;
}

/** https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/ */
async function tokenFor(challenge: Challenge, own: Credentials | undefined, options: AuthorizeOptions): Promise<Authorization> {
  const { client, endpoint, signal } = options;
  const realm = realmOf(challenge, endpoint);
  const shared = endpoint.sharesCredentialsWith(realm);
  const credentials = shared ? own : await options.credentials(realm.host);
  const service = challenge.parameters['service'];
  const scopes = withAsked(options.scopes, challenge.parameters['scope'] ?? '');
  let response: HttpResponse;
  if (credentials?.kind === 'identity') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credentials.token,
      client_id: 'devenv',
      scope: scopes.join(' '),
      ...(service ? { service } : {}),
    });
    response = await client(realm, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'user-agent': 'devenv' },
      body: form.toString(),
      signal,
    });
  } else {
    if (service) realm.searchParams.set('service', service);
    for (const scope of scopes) realm.searchParams.append('scope', scope);
    const known: Record<string, string> = credentials?.kind === 'password' ? { authorization: basicHeader(credentials) } : {};
    response = await client(realm, { headers: { 'user-agent': 'devenv', ...known }, signal });
  }
  const withheld = !shared && own !== undefined && credentials === undefined ? { withheld: realm.host } : {};
  return { header: `Bearer ${await tokenIn(response, realm, endpoint, withheld)}`, ...withheld };
}

/** Ours, and what the registry asks for unless ours have it already. */
function withAsked(ours: readonly string[], asked: string): readonly string[] {
  const covered = (scope: string): boolean => {
    const [resource, actions] = splitScope(scope);
    return ours.some((own) => {
      const [known, granted] = splitScope(own);
      return known === resource && actions.every((action) => granted.includes(action));
    });
  };
  return [...ours, ...asked.split(' ').filter((scope) => scope !== '' && !covered(scope))];
}

function splitScope(scope: string): [resource: string, actions: readonly string[]] {
  const colon = scope.lastIndexOf(':');
  return [scope.slice(0, colon), scope.slice(colon + 1).split(',')];
}

function realmOf(challenge: Challenge, endpoint: Endpoint): URL {
  const text = challenge.parameters['realm'] ?? '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !endpoint.allows(url))
    throw new UserError('REGISTRY_ANSWER', `${endpoint.host} wants a token from ${shown(text)}, which is no safe address.`, {
      hint: 'Only https is safe. The registry has to be set up in another way.',
    });
  url.username = url.password = '';
  return url;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200).replace(/[^\x20-\x7e]/g, '?'));
}

async function tokenIn(
  response: HttpResponse,
  realm: URL,
  endpoint: Endpoint,
  { withheld }: Pick<Authorization, 'withheld'>,
): Promise<string> {
  if (response.status === 429 || response.status >= 500) {
    response.discard();
    throw new HttpFailure(`${realm.host} cannot give a token now: it answers ${response.status}`, { temporary: true });
  }
  if (response.status !== 200) {
    response.discard();
    throw new UserError('REGISTRY_DENIED', `${realm.host} gives no token for ${endpoint.host}: it answers ${response.status}.`, {
      hint: withheld === undefined ? `Log in again (devenv login ${endpoint.host}).` : withheldHint(endpoint.host, withheld),
    });
  }
  const found = tokenOf(await smallBody(response));
  if (found === undefined)
    throw new UserError('REGISTRY_ANSWER', `${realm.host} answers without a token for ${endpoint.host}.`, {
      hint: 'It does not follow the specification: tell who runs it.',
    });
  return found;
}

/** What to do when the credentials of a registry were kept from a token server on another host. */
export function withheldHint(host: string, tokenServer: string): string {
  return (
    `${host} wants its password to be sent to ${tokenServer}. If that is right, say so in devenv's config.json: ` +
    `{ "registries": { ${JSON.stringify(host)}: { "tokenServer": ${JSON.stringify(tokenServer)} } } }`
  );
}

/** At most 1 MiB, of which the rest is not read. */
async function smallBody(response: HttpResponse): Promise<string> {
  const bytes: Buffer[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    bytes.push(chunk);
    size += chunk.length;
    if (size > 1024 * 1024) break;
  }
  return Buffer.concat(bytes).toString();
}

/** A token that fits into a header. */
function tokenOf(text: string): string | undefined {
  try {
    const document = JSON.parse(text) as { token?: unknown; access_token?: unknown } | null;
    const found = document?.token || document?.access_token;
    return typeof found === 'string' && /^[\x21-\x7e]+$/.test(found) ? found : undefined;
  } catch {
    return undefined;
  }
}
