import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../base/errors.ts';
import { HttpFailure, isLoopback, type HttpClient, type HttpRequest, type HttpResponse } from '../base/http.ts';
import { authorize } from './authorize.ts';
import { parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';

export interface ConnectionOptions {
  readonly client: HttpClient;
  /** Host and port as in names of images. */
  readonly host: string;
  readonly credentials: (host: string) => Credentials | undefined;
  readonly signal?: AbortSignal | undefined;
  /** First pause before another attempt, ms; it doubles. */
  readonly pause?: number;
}

const attempts = 5;
const redirects = 10;
const longestPause = 60_000; // ms

/**
 * Talks to one repository of one registry: authenticates when asked, follows redirects without handing on credentials, and
 * asks again when the registry is busy or the line was cut.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #repository: string;
  readonly #base: URL;
  #authorization: string | undefined;

  constructor(repository: string, options: ConnectionOptions) {
    this.#options = options;
    this.#repository = repository;
    const host = options.host === 'docker.io' ? 'registry-1.docker.io' : options.host;
    this.#base = new URL(`https://${host}/v2/${repository}/`);
    if (isLoopback(this.#base.hostname)) this.#base.protocol = 'http:';
  }

  /**
   * Any answer but 401, 403, 429 and 5xx is the caller's to judge.
   * @throws UserError REGISTRY_UNREACHABLE, REGISTRY_DENIED, REGISTRY_ANSWER
   */
  async request(path: string, request: HttpRequest = {}): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#attempt(path, request, attempt === attempts);
      if (response && !isBusy(response.status)) return response;
      if (response && attempt === attempts) {
        response.discard();
        throw new UserError('REGISTRY_UNREACHABLE', `${this.#options.host} cannot serve now: it answers ${response.status}.`, {
          hint: 'Try again later.',
        });
      }
      response?.discard();
      await this.pause(attempt, response?.headers['retry-after'], request.signal);
    }
  }

  async pause(attempt: number, retryAfter: string | undefined, signal: AbortSignal | undefined): Promise<void> {
    const wanted =
      retryAfter === undefined ? NaN : /^[0-9]+$/.test(retryAfter) ? Number(retryAfter) * 1000 : Date.parse(retryAfter) - Date.now();
    const own = (this.#options.pause ?? 500) * 2 ** (attempt - 1) * (0.75 + Math.random() / 2); // spread: many machines start at once
    await delay(Math.min(longestPause, Math.max(0, Number.isNaN(wanted) ? own : wanted)), undefined, {
      signal: signal ?? this.#options.signal,
    });
  }

  /** Undefined when the line was cut and another attempt may follow. */
  async #attempt(path: string, request: HttpRequest, last: boolean): Promise<HttpResponse | undefined> {
    try {
      return await this.#authorized(path, request);
    } catch (error) {
      if (!(error instanceof HttpFailure)) throw error;
      if (error.temporary && !last) return undefined;
      throw unreachable(this.#options.host, error);
    }
  }

  async #authorized(path: string, request: HttpRequest): Promise<HttpResponse> {
    const url = new URL(path, this.#base);
    const used = this.#authorization;
    const first = await this.#follow(url, request);
    if (first.response.status !== 401 && first.response.status !== 403) return first.response;
    const { response } = first;
    const said = await errorText(response);
    // A challenge of another host, or a token that was just made and is not enough: that is the answer.
    const challenged = response.status === 401 && first.url.origin === url.origin ? response.headers['www-authenticate'] : undefined;
    if (challenged === undefined) throw this.#denied(response.status, said);
    // Another request of this connection may have been faster.
    if (this.#authorization === used) {
      const { client, credentials, host, signal } = this.#options;
      this.#authorization = await authorize(parseChallenges(challenged), {
        client,
        credentials,
        registry: host,
        origin: url,
        scope: `repository:${this.#repository}:pull`,
        signal: request.signal ?? signal,
      });
      if (this.#authorization === undefined) throw this.#denied(401, said);
    }
    const second = await this.#follow(url, request);
    if (second.response.status === 401 || second.response.status === 403)
      throw this.#denied(second.response.status, await errorText(second.response));
    return second.response;
  }

  async #follow(start: URL, request: HttpRequest): Promise<{ url: URL; response: HttpResponse }> {
    let url = start;
    for (let count = 0; count <= redirects; count++) {
      const own = url.origin === start.origin && this.#authorization !== undefined ? { authorization: this.#authorization } : {};
      const signal = request.signal ?? this.#options.signal;
      const response = await this.#options.client(url, {
        ...request,
        headers: { 'user-agent': 'devenv', ...request.headers, ...own },
        signal,
      });
      const location = response.headers['location'];
      if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return { url, response };
      response.discard();
      url = this.#redirected(location, url);
    }
    throw this.#answer('it redirects in a circle');
  }

  #redirected(location: string, from: URL): URL {
    if (!URL.canParse(location, from.href)) throw this.#answer('it redirects to no address');
    const url = new URL(location, from);
    url.username = url.password = '';
    const mayPlain = url.protocol === 'http:' && isLoopback(url.hostname) && isLoopback(this.#base.hostname);
    if (url.protocol !== 'https:' && !mayPlain) throw this.#answer(`it redirects to ${url.protocol}//${url.host}, which is not encrypted`);
    return url;
  }

  #answer(why: string): UserError {
    return new UserError('REGISTRY_ANSWER', `The answer of ${this.#options.host} cannot be used: ${why}.`);
  }

  #denied(status: number, said: string): UserError {
    const { host, credentials } = this.#options;
    const known = credentials(host) !== undefined;
    return new UserError('REGISTRY_DENIED', `${host} does not let us read ${this.#repository}: ${said || `it answers ${status}`}.`, {
      hint: known
        ? 'The credentials stored for this registry are not accepted. Log in again.'
        : `Check the spelling. If the image is private, log in first (docker login ${host}).`,
    });
  }
}

export function unreachable(host: string, failure: HttpFailure): UserError {
  return new UserError('REGISTRY_UNREACHABLE', `The registry ${host} cannot be reached: ${failure.message}.`, {
    ...(failure.hint ? { hint: failure.hint } : {}),
    cause: failure,
  });
}

function isBusy(status: number): boolean {
  return status === 429 || (status >= 500 && status !== 501);
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
