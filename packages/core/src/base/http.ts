import { readFileSync } from 'node:fs';
import type { Dispatcher } from 'undici';

export interface HttpRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal | undefined;
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

  constructor(message: string, options: { hint?: string | undefined; temporary: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.name = 'HttpFailure';
    this.hint = options.hint;
    this.temporary = options.temporary;
  }
}

const connectTimeout = 10_000; // ms
const silenceTimeout = 30_000; // ms without a byte

/**
 * A client that trusts what Node trusts and the host's own bundle (SSL_CERT_FILE, or where Linux distributions keep it), and that
 * uses the proxies of the environment, except for this machine itself.
 */
export function httpClient(env: Readonly<Record<string, string | undefined>>): HttpClient {
  let opened: Promise<{ direct: Dispatcher; proxied: Dispatcher; request: Undici['request'] }> | undefined;
  return async (url, request = {}) => {
    opened ??= open(env); // loaded on first use: a warm command never needs it
    const { direct, proxied, request: send } = await opened;
    const { method = 'GET', headers = {}, body, signal } = request;
    try {
      const dispatcher = isLoopback(url.hostname) ? direct : proxied;
      const response = await send(url, {
        dispatcher,
        method,
        headers,
        ...(body === undefined ? {} : { body }),
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

async function open(
  env: Readonly<Record<string, string | undefined>>,
): Promise<{ direct: Dispatcher; proxied: Dispatcher; request: Undici['request'] }> {
  // The default export: a bundler cannot see the names that a CommonJS module exports.
  const { Agent, EnvHttpProxyAgent, request } = (await import('undici')).default;
  const ca = await trustedAuthorities(env);
  const tls = { ca, timeout: connectTimeout };
  const options = { connect: tls, headersTimeout: silenceTimeout, bodyTimeout: silenceTimeout, allowH2: false };
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
  const code = codeOf(error);
  const known = reasons[code];
  if (known)
    return new HttpFailure(`${url.host} ${known.text} (${code})`, { hint: known.hint, temporary: known.temporary ?? false, cause: error });
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
  'Is there a proxy that re-signs https? Install its authority on this machine (update-ca-certificates), or name it in SSL_CERT_FILE.';

const reasons: Readonly<Record<string, { text: string; hint?: string; temporary?: boolean }>> = {
  ECONNREFUSED: { text: 'refuses connections', hint: 'Is the registry running, and is the port right?' },
  ENOTFOUND: { text: 'is a name that cannot be found', hint: 'Check the spelling, and that this machine is online.' },
  EAI_AGAIN: { text: 'is a name that cannot be looked up now', hint: 'Is this machine online?', temporary: true },
  ECONNRESET: { text: 'cut the connection', temporary: true },
  EPIPE: { text: 'cut the connection', temporary: true },
  ETIMEDOUT: { text: 'does not answer', hint: 'Is a proxy needed? Set HTTPS_PROXY.', temporary: true },
  EHOSTUNREACH: { text: 'cannot be reached', hint: 'Is this machine online?' },
  ENETUNREACH: { text: 'cannot be reached', hint: 'Is this machine online?' },
  EPROTO: { text: 'does not speak https', hint: 'http is used for this machine itself only.' },
  ERR_SSL_WRONG_VERSION_NUMBER: { text: 'does not speak https', hint: 'http is used for this machine itself only.' },
  ERR_SSL_PACKET_LENGTH_TOO_LONG: { text: 'does not speak https', hint: 'http is used for this machine itself only.' },
  UND_ERR_SOCKET: { text: 'cut the connection', temporary: true },
  UND_ERR_CONNECT_TIMEOUT: {
    text: `did not take the connection within ${connectTimeout / 1000} s`,
    hint: 'Is a proxy needed? Set HTTPS_PROXY.',
  },
  UND_ERR_HEADERS_TIMEOUT: { text: `was silent for ${silenceTimeout / 1000} s`, temporary: true },
  UND_ERR_BODY_TIMEOUT: { text: `was silent for ${silenceTimeout / 1000} s`, temporary: true },
};
