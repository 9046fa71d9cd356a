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
 * where the browser tells its origin, ours.
 * @throws UserError PORT_TAKEN
 */
export async function serveLoopback(options: LoopbackOptions): Promise<LoopbackServer> {
  const token = randomBytes(24).toString('base64url');
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 });
  let guard: Guard | undefined;
  const make = (): Server => {
    const server = createServer((request, response) => void respond(request, response, { options, guard: guard! }));
    return server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
      const url = guard!.url(request);
      const take = options.sockets[url.pathname];
      if (!take || guard!.refusal(request.headers, true) !== undefined) {
        stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
        return;
      }
      sockets.handleUpgrade(request, stream, head, (socket) => take(socket, url.searchParams));
    });
  };
  const servers = await listenOnBoth(make, options.port);
  const { port } = servers[0]!.address() as AddressInfo;
  guard = new Guard(token, options.name, port);
  return {
    port,
    url(path) {
      const url = new URL(path, `http://${options.name}.localhost:${port}`);
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

class Guard {
  readonly #token: Buffer;
  readonly #hosts: readonly string[];
  readonly #openHost: RegExp;
  /** Ports of one host share cookies. */
  readonly cookie: string;

  constructor(token: string, name: string, port: number) {
    this.#token = Buffer.from(token);
    this.#hosts = [`${name}.localhost:${port}`, `localhost:${port}`, `127.0.0.1:${port}`];
    this.#openHost = new RegExp(`^[a-z0-9-]+\\.(?:${name}\\.)?localhost:${port}$`);
    this.cookie = `${name}-${port}`;
  }

  /** What is asked of us, whatever the Host says. */
  url(request: IncomingMessage): URL {
    return new URL(`http://127.0.0.1${(request.url ?? '/').replace(/^\/+/, '/')}`);
  }

  isOpenHost({ headers: { host = '' } }: IncomingMessage): boolean {
    return !this.#hosts.includes(host) && this.#openHost.test(host);
  }

  /** Why a request is refused. `strict`: it has to tell its origin. */
  refusal({ host = '', origin, cookie = '' }: IncomingHttpHeaders, strict: boolean): string | undefined {
    if (!this.#hosts.includes(host)) return 'This name is not ours.';
    if (origin === undefined ? strict : origin !== `http://${host}`) return 'Another origin may not use this page.';
    const own = cookie.split('; ').find((each) => each.startsWith(`${this.cookie}=`));
    if (this.isToken(own?.slice(this.cookie.length + 1))) return undefined;
    return 'The token is missing or wrong: open the address that devenv code prints.';
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
  const [, first = ''] = url.pathname.split('/', 2);
  const folder = Object.hasOwn(options.files, first) ? options.files[first] : undefined;
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain(response, 405, 'Nothing can be sent here.');
  if (guard.isOpenHost(request)) {
    if (folder === undefined || !options.open.includes(first)) return plain(response, 403, 'This name is not ours.');
    return sendFile(request, response, folder, url);
  }
  const token = url.searchParams.get('token');
  if (token !== null && guard.isToken(token))
    response.setHeader('set-cookie', `${guard.cookie}=${token}; HttpOnly; SameSite=Strict; Path=/`);
  // As if the browser had the cookie already: then the other checks are the same.
  const headers = token === null ? request.headers : { ...request.headers, cookie: `${guard.cookie}=${token}` };
  const refusal = guard.refusal(headers, false);
  if (refusal !== undefined) return plain(response, 403, refusal);
  if (token !== null) {
    url.searchParams.delete('token'); // it is not to stay in the history
    response.writeHead(303, { location: url.pathname + url.search, 'cache-control': 'no-store' }).end();
    return;
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
