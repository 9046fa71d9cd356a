import { randomBytes, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import send from 'send';
import { WebSocketServer, type WebSocket } from 'ws';
import { UserError } from './errors.ts';

export type { WebSocket };

export interface LoopbackOptions {
  /** 0: one that is free. */
  readonly port: number;
  /** Folders by the first part of the path at which their files are. Files of `open` have no secrets: they are also served at NAME.localhost, to anybody here. */
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
 * Serves one user of this machine, on 127.0.0.1 only. Others on it, and pages of other origins, are kept out: a request needs the
 * token (once in its address, from then on in a cookie), a Host that is ours (a foreign name may be made to point here), and
 * where the browser tells its origin, ours.
 * @throws UserError PORT_TAKEN
 */
export async function serveLoopback(options: LoopbackOptions): Promise<LoopbackServer> {
  const token = randomBytes(24).toString('base64url');
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 * 1024 });
  const server = createServer();
  const guard = new Guard(token, () => (server.address() as AddressInfo).port);
  server.on('request', (request, response) => void respond(request, response, { options, guard }));
  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const url = guard.url(request);
    const take = options.sockets[url.pathname];
    if (!take || guard.refusal(request.headers, true) !== undefined)
      return stream.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n');
    return sockets.handleUpgrade(request, stream, head, (socket) => take(socket, url.searchParams));
  });
  await listen(server, options.port);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url(path) {
      const url = new URL(path, `http://127.0.0.1:${port}`);
      url.searchParams.set('token', token);
      return url.href;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new UserError('PORT_TAKEN', `Port ${port} of this machine is already in use.`, {
              hint: 'Leave --port away, or name another one.',
            })
          : error,
      ),
    );
    server.listen(port, '127.0.0.1', resolve);
  });
}

class Guard {
  readonly #token: Buffer;
  readonly #port: () => number;

  constructor(token: string, port: () => number) {
    this.#token = Buffer.from(token);
    this.#port = port;
  }

  /** Ports of one host share cookies. */
  get cookie(): string {
    return `devenv-${this.#port()}`;
  }

  /** What may be asked of us, whatever the Host says. */
  url(request: IncomingMessage): URL {
    return new URL(`http://127.0.0.1:${this.#port()}${(request.url ?? '/').replace(/^\/+/, '/')}`);
  }

  isOpenHost(request: IncomingMessage): boolean {
    return new RegExp(`^[a-z0-9-]+\\.localhost:${this.#port()}$`).test(request.headers.host ?? '');
  }

  /** Why a request is refused. `strict`: it has to tell its origin. */
  refusal({ host = '', origin, cookie = '' }: IncomingHttpHeaders, strict: boolean): string | undefined {
    if (host !== `127.0.0.1:${this.#port()}` && host !== `localhost:${this.#port()}`) return 'This name is not ours.';
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
