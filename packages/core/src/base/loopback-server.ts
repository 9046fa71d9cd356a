import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import send from 'send';
import { WebSocketServer, type WebSocket } from 'ws';
import { UserError } from './errors.ts';

export type { WebSocket };

export interface LoopbackOptions {
  /** The page's host is NAME.localhost, which browsers know to be this machine (RFC 6761): then X.NAME.localhost is of the same site, but another origin. */
  readonly name: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Folders by the first part of the path at which their files are. Files of `open` have no secrets: they are also served at X.NAME.localhost, to anybody here. */
  readonly files: Readonly<Record<string, string>>;
  readonly open: readonly string[];
  /** Answers what is no file; undefined: there is nothing. */
  readonly answer: (url: URL) => Promise<Answer | undefined>;
  /** Takes the connections to a path. */
  readonly sockets: Readonly<Record<string, (socket: WebSocket, query: URLSearchParams) => void>>;
  /** Where a proxy of this user's shows us, under a path that it takes off. */
  readonly proxy?: (port: number) => URL;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export interface LoopbackServer extends AsyncDisposable {
  readonly port: number;
  /** Also valid for other tabs, until the server ends. */
  url(path: string): string;
}

/**
 * Serves one user of this machine, on its loopback only: on both addresses, since else another user could take the one that a browser tries first. Others on it, and pages of other origins, are kept out: a request needs the
 * token (once in its address, from then on in a cookie), a Host that is ours (a foreign name may be made to point here), and
 * where the browser tells its origin, ours. All is below a path that nobody can guess, and so is the cookie: a browser gives a host's
 * cookies to all its ports, and who listens at another one may be another user.
 * @throws UserError PORT_TAKEN
 */
export async function serveLoopback(options: LoopbackOptions): Promise<LoopbackServer> {
  const token = randomBytes(24).toString('base64url');
  const place = `/${randomBytes(12).toString('hex')}`;
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 });
  let guard: Guard | undefined;
  const make = (): Server => {
    const server = createServer((request, response) => void respond(request, response, { options, guard: guard! }));
    return server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      const url = guard!.url(request);
      const take = guard!.enter(url) ? options.sockets[url.pathname] : undefined;
      if (!take || guard!.refusal(request.headers, true) !== undefined) {
        stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, stream, head, (socket) => {
        socket.on('error', () => {}); // such as a message that is too long: it closes the socket, and nobody may be listening yet
        take(socket, url.searchParams);
      });
    });
  };
  const servers = await listenOnBoth(make, options.port);
  const { port } = servers[0]!.address() as AddressInfo;
  const proxy = options.proxy?.(port);
  guard = new Guard(token, { place, name: options.name, port, proxy });
  return {
    port,
    url(path) {
      const root = proxy?.href.replace(/\/$/, '') ?? `http://${options.name}.localhost:${port}`;
      const url = new URL(`${root}${place}${path}`);
      url.searchParams.set('token', token);
      return url.href;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      await Promise.all(servers.map(close));
    },
  };
}

/** One server each for 127.0.0.1 and, where there is such an address, ::1, at the same port. */
async function listenOnBoth(make: () => Server, port: number): Promise<readonly Server[]> {
  for (let attempt = 1; ; attempt++) {
    const first = await listen(make(), port, '127.0.0.1');
    try {
      return [first, await listen(make(), (first.address() as AddressInfo).port, '::1')];
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRNOTAVAIL' || code === 'EAFNOSUPPORT') return [first];
      await close(first);
      if (!(error instanceof UserError) || port !== 0 || attempt === 20) throw error;
    }
  }
}

function listen(server: Server, port: number, host: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(error.code === 'EADDRINUSE' ? taken(port) : error));
    server.listen(port, host, () => resolve(server));
  });
}

function taken(port: number): UserError {
  return new UserError('PORT_TAKEN', `Port ${port} of this machine is already in use.`, {
    hint: 'Leave --port away, or name another one.',
  });
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

interface Where {
  readonly place: string;
  readonly name: string;
  readonly port: number;
  readonly proxy: URL | undefined;
}

class Guard {
  readonly #token: Buffer;
  readonly #place: string;
  /** The origin of each Host that is ours. */
  readonly #origins: ReadonlyMap<string, string>;
  readonly #openHost: RegExp;
  /** Ports of one host share cookies. */
  readonly cookie: string;

  constructor(token: string, { place, name, port, proxy }: Where) {
    this.#token = Buffer.from(token);
    this.#place = place;
    const own = [`${name}.localhost:${port}`, `localhost:${port}`, `127.0.0.1:${port}`].map((host) => [host, `http://${host}`] as const);
    this.#origins = new Map(proxy ? [...own, [proxy.host, proxy.origin]] : own);
    this.#openHost = new RegExp(`^[a-z0-9-]+\\.(?:${name}\\.)?localhost:${port}$`);
    this.cookie = `${name}-${port}`;
  }

  /** What is asked of us, whatever the Host says. */
  url(request: IncomingMessage): URL {
    return new URL(`http://127.0.0.1${(request.url ?? '/').replace(/^\/+/, '/')}`);
  }

  isOpenHost({ headers: { host = '' } }: IncomingMessage): boolean {
    return !this.#origins.has(host) && this.#openHost.test(host);
  }

  /** Whether a path is below ours, which is taken off. */
  enter(url: URL): boolean {
    if (!url.pathname.startsWith(`${this.#place}/`)) return false;
    url.pathname = url.pathname.slice(this.#place.length);
    return true;
  }

  /** Why a request is refused. `strict`: it has to tell its origin. */
  refusal({ host = '', origin, cookie = '' }: IncomingHttpHeaders, strict: boolean): string | undefined {
    const ours = this.#origins.get(host);
    if (ours === undefined) return 'This name is not ours.';
    if (origin === undefined ? strict : origin !== ours) return 'Another origin may not use this page.';
    const own = cookie.split('; ').find((each) => each.startsWith(`${this.cookie}=`));
    if (this.isToken(own?.slice(this.cookie.length + 1))) return undefined;
    return incomplete;
  }

  isToken(text: string | undefined | null): boolean {
    const given = Buffer.from(text ?? '');
    return given.length === this.#token.length && timingSafeEqual(given, this.#token);
  }
}

interface Context {
  readonly options: LoopbackOptions;
  readonly guard: Guard;
}

async function respond(request: IncomingMessage, response: ServerResponse, { options, guard }: Context): Promise<void> {
  const url = guard.url(request);
  const inside = guard.enter(url);
  const [, first = ''] = url.pathname.split('/', 2);
  const folder = Object.hasOwn(options.files, first) ? options.files[first] : undefined;
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405, 'Nothing can be sent here.');
  if (guard.isOpenHost(request)) {
    if (folder === undefined || !options.open.includes(first)) return plain(response, 403, 'This name is not ours.');
    return sendFile(request, response, folder, url);
  }
  if (!inside) return plain(response, 403, incomplete);
  const token = url.searchParams.get('token');
  if (token !== null && guard.isToken(token)) response.setHeader('set-cookie', `${guard.cookie}=${token}; HttpOnly; SameSite=Strict`);
  // As if the browser had the cookie already: then the other checks are the same.
  const headers = token === null ? request.headers : { ...request.headers, cookie: `${guard.cookie}=${token}` };
  const refusal = guard.refusal(headers, false);
  if (refusal !== undefined) return plain(response, 403, refusal);
  if (token !== null) {
    url.searchParams.delete('token'); // it is not to stay in the history
    return goOn(response, url);
  }
  response.setHeader('cross-origin-resource-policy', 'same-origin');
  if (folder !== undefined) return sendFile(request, response, folder, url);
  try {
    const answer = await options.answer(url);
    if (!answer) return plain(response, 404, 'There is nothing here.');
    response.writeHead(answer.status ?? 200, { 'cache-control': 'no-store', ...answer.headers }).end(answer.body);
  } catch (error) {
    if (!response.headersSent) plain(response, 502, error instanceof Error ? error.message : String(error));
  }
}

const incomplete = 'The token is missing or wrong: open the address that devenv code prints.';

/** By way of a page of ours, not by a redirection: a browser that another page sent here keeps the cookie back until we ask. */
function goOn(response: ServerResponse, { search }: URL): void {
  const target = `./${search}`.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'",
  };
  response.writeHead(200, headers).end(`<!doctype html><meta http-equiv="refresh" content="0; url=${target}"><title>devenv</title>\n`);
}

function sendFile(request: IncomingMessage, response: ServerResponse, root: string, url: URL): void {
  const path = url.pathname.slice(url.pathname.indexOf('/', 1));
  send(request, path, { root, index: false, dotfiles: 'deny', cacheControl: true, maxAge: '1h' })
    .on('error', (error: { readonly status?: number }) => plain(response, error.status ?? 500, 'There is nothing here.'))
    .on('directory', () => plain(response, 404, 'There is nothing here.'))
    .pipe(response);
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }).end(`${text}\n`);
}
