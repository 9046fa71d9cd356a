import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import { HttpFailure, type HttpClient, type HttpRequest, type HttpResponse } from '../base/http.ts';
import { authorize, withheldHint } from './authorize.ts';
import { parseChallenges } from './challenge.ts';
import type { Credentials } from './registry.ts';
import type { Endpoint } from './endpoint.ts';

export interface ConnectionOptions {
  readonly client: HttpClient;
  readonly endpoint: Endpoint;
  /** Empty for what concerns the registry as a whole. */
  readonly repository: string;
  readonly credentials: (host: string) => Promise<Credentials | undefined>;
  /** Why credentials that are kept somewhere could not be had. */
  readonly trouble?: () => UserError | undefined;
  readonly signal?: AbortSignal | undefined;
  /** First pause before another attempt, ms; it doubles. */
  readonly pause?: number | undefined;
  /** How often a request is sent before it is given up. */
  readonly attempts?: number;
  readonly report?: Report | undefined;
}

export interface Answered extends HttpResponse {
  /** Where it came from in the end. */
  readonly url: URL;
}

const attempts = 5;
const redirects = 10;
const longestPause = 60_000; // ms
const worthTelling = 4_000; // ms: nobody waits longer without a word

/**
 * Talks to one repository of one registry: authenticates when asked, follows redirects without handing on credentials, and
 * asks again when the registry is busy or the line was cut.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #scopes: Set<string>;
  #authorization: string | undefined;
  #withheld: string | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#scopes = new Set(options.repository === '' ? [] : [`repository:${options.repository}:pull`]);
  }

  get host(): string {
    return this.#options.endpoint.host;
  }

  /** Sends this before it is asked for, until a challenge brings something better. */
  present(authorization: string): void {
    this.#authorization = authorization;
  }

  /** That the credentials were not used, when they were kept from a token server. */
  withheld(): UserError | undefined {
    if (this.#withheld === undefined) return undefined;
    return new UserError('REGISTRY_DENIED', `${this.host} cannot check the password itself.`, {
      hint: withheldHint(this.host, this.#withheld),
    });
  }

  /** Tokens from now on are good for this, too: `repository:NAME:pull,push`. */
  want(scope: string): void {
    if (this.#scopes.has(scope)) return;
    this.#scopes.add(scope);
    this.#scopes.delete(scope.replace(/,push$/, ''));
    this.#authorization = undefined;
  }

  /**
   * Any answer but 401, 403, 429 and 5xx is the caller's to judge. The path is relative to the repository.
   * @throws UserError REGISTRY_UNREACHABLE, REGISTRY_DENIED, REGISTRY_LIMIT, REGISTRY_ANSWER
   */
  async request(path: string | URL, request: HttpRequest = {}): Promise<Answered> {
    const last = this.#options.attempts ?? attempts;
    for (let attempt = 1; ; attempt++) {
      const response = await this.#attempt(path, request, attempt);
      if (response && !isBusy(response.status)) return response;
      response?.discard();
      const wait = this.#pauseAfter(attempt, response?.headers['retry-after']);
      if (response && (attempt >= last || wait > longestPause)) throw this.#busy(response, wait);
      await this.#wait(wait, request.signal);
    }
  }

  /** One attempt: also a busy answer is the caller's to judge. @throws UserError REGISTRY_DENIED, REGISTRY_ANSWER; HttpFailure */
  async once(path: string | URL, request: HttpRequest = {}): Promise<Answered> {
    try {
      return await this.#authorized(path, request);
    } catch (error) {
      if (!(error instanceof HttpFailure) || error.reason !== 'no https' || !this.#options.endpoint.becomePlain()) throw error;
      return this.#authorized(path, request);
    }
  }

  /** What an address outside of the registry has, asked without credentials; undefined when it has nothing. */
  async foreign(address: string, request: HttpRequest): Promise<Answered | undefined> {
    if (!URL.canParse(address)) return undefined;
    const url = this.redirected(address, new URL(address));
    // The registry's own host gets no credentials either: it has been asked already.
    if (url.origin === this.#options.endpoint.origin) return undefined;
    const response = await this.#follow(url, request);
    if (response.status === 200 || response.status === 206) return response;
    response.discard();
    return undefined;
  }

  /** Waits before another attempt of a transfer. */
  async pause(attempt: number, signal: AbortSignal | undefined): Promise<void> {
    await this.#wait(this.#pauseAfter(attempt, undefined), signal);
  }

  /** What the registry names (RFC 9110, Retry-After), else longer from time to time. */
  #pauseAfter(attempt: number, retryAfter: string | undefined): number {
    const wanted =
      retryAfter === undefined ? NaN : /^[0-9]+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
    if (!Number.isNaN(wanted)) return Math.max(0, wanted);
    const own = (this.#options.pause ?? 500) * 2 ** (attempt - 1) * (0.75 + Math.random() / 2); // spread: many machines start at once
    return Math.min(longestPause, own);
  }

  async #wait(pause: number, signal: AbortSignal | undefined): Promise<void> {
    if (pause >= worthTelling)
      this.#options.report?.({
        type: 'notice',
        level: 'info',
        message: `${this.host} is asked again in ${Math.round(pause / 1000)} s: it is busy or cannot be reached.`,
      });
    await delay(pause, undefined, { signal: signal ?? this.#options.signal });
  }

  /** Undefined when the line was cut and another attempt may follow. */
  async #attempt(path: string | URL, request: HttpRequest, attempt: number): Promise<Answered | undefined> {
    try {
      return await this.once(path, request);
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error;
      // One that is silent twice will be silent again, and each time costs half a minute.
      const last = error.reason === 'silence' ? 2 : attempts;
      if (error.temporary && attempt < Math.min(last, this.#options.attempts ?? attempts)) return undefined;
      throw unreachable(this.host, error);
    }
  }

  async #authorized(path: string | URL, request: HttpRequest): Promise<Answered> {
    const { client, credentials, endpoint, repository, signal } = this.#options;
    const url = new URL(path, endpoint.repository(repository));
    const used = this.#authorization;
    const first = await this.#follow(url, request);
    if (first.status !== 401 && first.status !== 403) return first;
    const said = this.#withoutSecrets(await errorText(first));
    // A challenge of another host, or a token that was just made and is not enough: that is the answer.
    const challenged = first.status === 401 && first.url.origin === endpoint.origin ? first.headers['www-authenticate'] : undefined;
    if (challenged === undefined) throw this.#denied(first.status, said, request);
    // Another request of this connection may have been faster.
    if (this.#authorization === used) {
      const scopes = [...this.#scopes];
      const made = await authorize(parseChallenges(challenged), {
        client,
        credentials,
        endpoint,
        scopes,
        signal: request.signal ?? signal,
      });
      this.#authorization = made.header;
      this.#withheld = made.withheld;
      if (made.header === undefined) throw this.#denied(401, said, request, await credentials(endpoint.host));
    }
    const second = await this.#follow(url, request);
    if (second.status === 401 || second.status === 403)
      throw this.#denied(second.status, this.#withoutSecrets(await errorText(second)), request, await credentials(endpoint.host));
    return second;
  }

  /** A registry may say back what it was sent. */
  #withoutSecrets(said: string): string {
    const secret = this.#authorization?.replace(/^[A-Za-z]+ /, '') ?? '';
    const plain = Buffer.from(secret, 'base64').toString().split(':').slice(1).join(':');
    return [secret, plain].some((text) => text !== '' && said.includes(text)) ? '' : said;
  }

  async #follow(start: URL, request: HttpRequest): Promise<Answered> {
    const { endpoint, client } = this.#options;
    let url = start;
    for (let count = 0; count <= redirects; count++) {
      // Not even back to the registry from elsewhere: who redirects would choose what we ask in our name.
      const ours = url.origin === endpoint.origin && start.origin === endpoint.origin;
      const own = ours && this.#authorization !== undefined ? { authorization: this.#authorization } : {};
      const signal = request.signal ?? this.#options.signal;
      const response = await client(url, { ...request, headers: { 'user-agent': 'devenv', ...request.headers, ...own }, signal });
      const location = response.headers['location'];
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return { ...response, url };
      response.discard();
      const reads = request.method === undefined || request.method === 'GET' || request.method === 'HEAD';
      if (!reads && response.status < 307) throw this.answer('it redirects what is sent to it');
      url = this.redirected(location, url);
    }
    throw this.answer('it redirects in a circle');
  }

  /** An address that an answer names. No credentials are sent there unless it is the registry itself. @throws UserError REGISTRY_ANSWER */
  redirected(location: string, from: URL): URL {
    if (!URL.canParse(location, from.href)) throw this.answer('it redirects to no address');
    const url = new URL(location, from);
    url.username = url.password = url.hash = '';
    if (!this.#options.endpoint.allows(url)) throw this.answer(`it redirects to ${url.protocol}//${url.host}, which is not encrypted`);
    return url;
  }

  answer(why: string): UserError {
    return new UserError('REGISTRY_ANSWER', `The answer of ${this.host} cannot be used: ${why}.`, {
      hint: 'The registry, or something between here and it, does not follow the OCI specification.',
    });
  }

  #busy(response: HttpResponse, wait: number): UserError {
    if (response.status !== 429)
      return new UserError('REGISTRY_UNREACHABLE', `${this.host} cannot serve now: it answers ${response.status}.`, {
        hint: 'Try again later.',
      });
    const limit = /^[0-9]+/.exec(response.headers['ratelimit-limit'] ?? '')?.[0];
    const when = response.headers['retry-after'] === undefined ? 'later' : `in ${formatWait(wait)}`;
    return new UserError(
      'REGISTRY_LIMIT',
      `${this.host} limits how often it may be asked${limit === undefined ? '' : ` (${limit} requests)`}, and the limit is reached.`,
      { hint: `Try again ${when}. Who is logged in may often ask more (devenv login ${this.host}); a mirror helps a whole team.` },
    );
  }

  #denied(status: number, said: string, request: HttpRequest, known?: Credentials): UserError {
    const { repository, trouble } = this.#options;
    const writes = request.method === 'POST' || request.method === 'PUT' || request.method === 'PATCH';
    const what = repository === '' ? 'in' : `${writes ? 'write' : 'read'} ${repository}`;
    const broken = trouble?.();
    const hint =
      this.#withheld !== undefined
        ? withheldHint(this.host, this.#withheld)
        : known !== undefined
          ? 'The credentials stored for this registry are not accepted, or not enough. Log in again.'
          : broken
            ? `${broken.message} ${broken.hint ?? ''}`
            : `Check the spelling. If the image is private, log in first (devenv login ${this.host}).`;
    return new UserError('REGISTRY_DENIED', `${this.host} does not let us ${what}: ${said || `it answers ${status}`}.`, { hint });
  }
}

export function unreachable(host: string, failure: HttpFailure): UserError {
  return new UserError('REGISTRY_UNREACHABLE', `The registry ${host} cannot be reached: ${failure.message}.`, {
    hint: failure.hint ?? 'Is it running, and is nothing between here and there in its way? Try again.',
    cause: failure,
  });
}

export function isBusy(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}

function formatWait(ms: number): string {
  return ms < 120_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} minutes`;
}

/** What the registry says about an error (distribution-spec, error codes): one short printable line, or nothing. */
export async function errorText(response: HttpResponse): Promise<string> {
  try {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      chunks.push(chunk);
      size += chunk.length;
      if (size > 64 * 1024) return '';
    }
    const { errors } = JSON.parse(Buffer.concat(chunks).toString()) as { errors?: { message?: unknown; code?: unknown }[] };
    const text = errors?.[0]?.message ?? errors?.[0]?.code;
    return typeof text === 'string' ? text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 200) : '';
  } catch {
    return '';
  }
}
