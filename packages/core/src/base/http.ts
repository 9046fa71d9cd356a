import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { UserError } from './errors.ts';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly headers?: Readonly<Record<string, string>>;
  /** A function is called anew whenever the request is sent anew; without a content-length it is sent in chunks. */
  readonly body?: string | Buffer | (() => AsyncIterable<Buffer>);
  readonly signal?: AbortSignal | undefined;
  /** How long the server may think before it answers, ms. */
  readonly patience?: number;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case; of a repeated header the first. */
  readonly headers: Readonly<Record<string, string>>;
  /** Read it to its end or call `discard`, else the connection hangs. Throws HttpFailure when it is cut. */
  readonly body: AsyncIterable<Buffer>;
  discard(): void;
}

/** One request, one answer, whatever its status: no redirects, no retries, no cookies. @throws HttpFailure */
export type HttpClient = (url: URL, request?: HttpRequest) => Promise<HttpResponse>;

/** No answer came, or it ended too early. The message says why in few words. */
export class HttpFailure extends Error {
  readonly hint: string | undefined;
  /** Whether the same request may succeed when it is sent again soon. */
  readonly temporary: boolean;
  readonly reason: 'silence' | 'no https' | undefined;

  constructor(
    message: string,
    options: { hint?: string | undefined; temporary: boolean; cause?: unknown; reason?: HttpFailure['reason'] },
  ) {
    super(message, { cause: options.cause });
    this.name = 'HttpFailure';
    this.hint = options.hint;
    this.temporary = options.temporary;
    this.reason = options.reason;
  }
}

const connectTimeout = 10_000; // ms
const silenceTimeout = 30_000; // ms without a byte

export interface HttpOptions {
  /** A file of authorities (PEM) that are trusted for a host (and port), beside those that are trusted for all. */
  readonly authoritiesOf?: (host: string) => string | undefined;
  /** How long a server may be silent, ms. */
  readonly silence?: number;
}

/**
 * A client that trusts what Node trusts and the host's own bundle (SSL_CERT_FILE, or where Linux distributions keep it), and that
 * uses the proxies of the environment, except for this machine itself.
 */
export function httpClient(env: Readonly<Record<string, string | undefined>>, options: HttpOptions = {}): HttpClient {
  const opened = new Map<string | undefined, Promise<Opened>>();
  return async (url, request = {}) => {
    const authorities = options.authoritiesOf?.(url.host);
    // Loaded on first use: a warm command never needs it.
    const client = opened.get(authorities) ?? open(env, authorities, options.silence ?? silenceTimeout);
    opened.set(authorities, client);
    const { direct, proxied, request: send } = await client;
    const { method = 'GET', headers = {}, body, signal, patience } = request;
    try {
      const dispatcher = isLoopback(url.hostname) ? direct : proxied;
      const response = await send(url, {
        dispatcher,
        method,
        headers,
        ...(patience === undefined ? {} : { headersTimeout: patience }),
        ...(body === undefined ? {} : { body: typeof body === 'function' ? Readable.from(body()) : body }),
        ...(signal ? { signal } : {}),
      });
      return {
        status: response.statusCode,
        headers: Object.fromEntries(
          Object.entries(response.headers).map(([name, value]) => [name, (Array.isArray(value) ? value[0] : value) ?? '']),
        ),
        body: explained(response.body, url, signal),
        discard: () => void response.body.on('error', () => {}).destroy(),
      };
    } catch (error) {
      throw failureOf(error, url, signal);
    }
  };
}

/** Names and addresses of this machine itself: no wire to listen on. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.[0-9]{1,3}){3}$/.test(hostname);
}

type Undici = typeof import('undici');

interface Opened {
  readonly direct: Dispatcher;
  readonly proxied: Dispatcher;
  readonly request: Undici['request'];
}

async function open(env: Readonly<Record<string, string | undefined>>, authorities: string | undefined, silence: number): Promise<Opened> {
  // The default export: a bundler cannot see the names that a CommonJS module exports.
  const { Agent, EnvHttpProxyAgent, request } = (await import('undici')).default;
  const ca = [...(await trustedAuthorities(env)), ...(authorities === undefined ? [] : [readAuthorities(authorities)])];
  const tls = { ca, timeout: connectTimeout };
  const options = { connect: tls, headersTimeout: silence, bodyTimeout: silence, allowH2: false };
  const direct = new Agent(options);
  const httpProxy = env['http_proxy'] || env['HTTP_PROXY'];
  const httpsProxy = env['https_proxy'] || env['HTTPS_PROXY'];
  if (!httpProxy && !httpsProxy) return { direct, proxied: direct, request };
  const proxied = new EnvHttpProxyAgent({
    ...options,
    requestTls: tls,
    proxyTls: tls,
    // Empty, not absent: else undici looks into our own process' environment.
    httpProxy: httpProxy ?? '',
    httpsProxy: httpsProxy ?? '',
    noProxy: env['no_proxy'] || env['NO_PROXY'] || '',
  });
  return { direct, proxied, request };
}

async function trustedAuthorities(env: Readonly<Record<string, string | undefined>>): Promise<string[]> {
  const { getCACertificates } = await import('node:tls');
  const own = env['SSL_CERT_FILE'];
  for (const path of own ? [own] : hostBundles) {
    try {
      return [...getCACertificates('default'), readFileSync(path, 'utf8')];
    } catch {
      // the next one: no distribution has all of them
    }
  }
  return getCACertificates('default');
}

function readAuthorities(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new HttpFailure(`its authorities cannot be read from ${path} (${(error as NodeJS.ErrnoException).code})`, {
      hint: 'Correct "ca" in the configuration of devenv.',
      temporary: false,
      cause: error,
    });
  }
}

/** Debian and Alpine; Fedora; openSUSE. */
const hostBundles = ['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/tls/certs/ca-bundle.crt', '/etc/ssl/ca-bundle.pem'];

async function* explained(body: AsyncIterable<Buffer>, url: URL, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of body) yield chunk;
  } catch (error) {
    throw failureOf(error, url, signal);
  }
}

function failureOf(error: unknown, url: URL, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted) return signal.reason ?? error;
  // What the body that is sent failed with is not the server's.
  if (error instanceof UserError || error instanceof HttpFailure) return error;
  if (error instanceof Error && error.name === 'HTTPParserError')
    return new HttpFailure(`${url.host} does not speak HTTP as it should`, { temporary: false, cause: error });
  const code = codeOf(error);
  const known = reasons[code];
  const proxy = known && proxyOf(error, url);
  if (known && proxy !== undefined)
    return new HttpFailure(`the proxy ${proxy}, through which ${url.host} is asked, ${known.text} (${code})`, {
      temporary: false,
      ...known,
      hint: 'Look at HTTPS_PROXY, HTTP_PROXY and NO_PROXY.',
      cause: error,
    });
  if (known) return new HttpFailure(`${url.host} ${known.text} (${code})`, { temporary: false, ...known, cause: error });
  if (isCertificateCode(code))
    return new HttpFailure(`${url.host} has a certificate that is not trusted here (${code})`, {
      hint: certificateHint,
      temporary: false,
      cause: error,
    });
  if (code.startsWith('UND_ERR_') || code.startsWith('E') || code.startsWith('HPE_')) {
    return new HttpFailure(`${url.host}: ${(error as Error).message || code}`, { temporary: code === 'UND_ERR_SOCKET', cause: error });
  }
  return error;
}

/** Whom the failed connection was for, when that is not the server itself. */
function proxyOf(error: unknown, url: URL): string | undefined {
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80));
  for (let at = error as { cause?: unknown; errors?: unknown[] } | undefined; at; at = (at.cause ?? at.errors?.[0]) as typeof at) {
    const failed = at as { address?: string; port?: number; hostname?: string };
    if (failed.hostname !== undefined && failed.hostname !== url.hostname) return failed.hostname;
    if (failed.port !== undefined && failed.port !== port) return `${failed.address}:${failed.port}`;
  }
  return undefined;
}

/** The code of the failure, or of the first cause that has one: several addresses fail together in an AggregateError. */
function codeOf(error: unknown): string {
  for (
    let at = error as { code?: unknown; cause?: unknown; errors?: unknown[] } | undefined;
    at;
    at = (at.cause ?? at.errors?.[0]) as typeof at
  ) {
    if (typeof at.code === 'string' && at.code !== 'UND_ERR') return at.code;
  }
  return '';
}

function isCertificateCode(code: string): boolean {
  return /CERT|UNABLE_TO_|ALTNAME|HOSTNAME_MISMATCH/.test(code);
}

const certificateHint =
  'Is its authority your own, or is there a proxy that re-signs https? Install the authority on this machine (update-ca-certificates), or name its file: "ca" of the registry in devenv\'s config.json, or SSL_CERT_FILE.';

const silent = { text: 'was silent for too long', reason: 'silence', temporary: true } as const;
const notEncrypted = { text: 'does not speak https', hint: 'http is used for this machine itself only.', reason: 'no https' } as const;

const reasons: Readonly<Record<string, { text: string; hint?: string; temporary?: boolean; reason?: HttpFailure['reason'] }>> = {
  ECONNREFUSED: { text: 'refuses connections', hint: 'Is the registry running, and is the port right?' },
  ENOTFOUND: { text: 'is a name that cannot be found', hint: 'Check the spelling, and that this machine is online.' },
  EAI_AGAIN: { text: 'is a name that cannot be looked up now', hint: 'Is this machine online?', temporary: true },
  ECONNRESET: { text: 'cut the connection', temporary: true },
  EPIPE: { text: 'cut the connection', temporary: true },
  ETIMEDOUT: { text: 'does not answer', hint: 'Is a proxy needed? Set HTTPS_PROXY.', temporary: true },
  EHOSTUNREACH: { text: 'cannot be reached', hint: 'Is this machine online?' },
  ENETUNREACH: { text: 'cannot be reached', hint: 'Is this machine online?' },
  EPROTO: notEncrypted,
  ERR_SSL_WRONG_VERSION_NUMBER: notEncrypted,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: notEncrypted,
  UND_ERR_SOCKET: { text: 'cut the connection', temporary: true },
  UND_ERR_CONNECT_TIMEOUT: {
    text: `did not take the connection within ${connectTimeout / 1000} s`,
    hint: 'Is a proxy needed? Set HTTPS_PROXY.',
  },
  UND_ERR_HEADERS_TIMEOUT: silent,
  UND_ERR_BODY_TIMEOUT: silent,
};
