import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, dirname, extname, join as joinPath, resolve } from 'node:path';
import { Duplex } from 'node:stream';
import { serveLoopback, type Answer, type LoopbackServer } from '../base/loopback-server.ts';
import { getOver } from '../base/http-over-stream.ts';
import { joinTo, type Connection } from './connections.ts';
import { startDevenv, type DevenvProgram } from './devenv-program.ts';
import { editorPath } from '../engine/engine.ts';
import { editorTree, type EditorTree } from './editor-parts.ts';
import { readGreeting } from './greeting.ts';
import { localServer } from './local-server.ts';
import { page } from './page.ts';
import { runForPage } from './run-for-page.ts';

export interface BrowserHostOptions {
  readonly tree: EditorTree;
  /** Folders of our extensions, with their package.json. */
  readonly extensions: { readonly extension: string; readonly resolver: string };
  readonly program: DevenvProgram;
  readonly port: number;
  readonly runtime: string;
  /** What the server for this machine's windows keeps. */
  readonly data: string;
  /** Where a proxy of this user's shows this port; what it shows has one origin only. */
  readonly proxy: ((port: number) => URL) | undefined;
}

/** Authority of windows that show this machine. */
const hostAuthority = 'devenv-host+this';

/** Serves VS Code's web client on loopback, for windows in containers and on this machine, until disposed. @throws UserError PORT_TAKEN */
export async function browserHost(options: BrowserHostOptions): Promise<LoopbackServer> {
  const { tree, extensions, program, proxy } = options;
  const product = JSON.parse(readFileSync(joinPath(tree.server, 'product.json'), 'utf8')) as {
    readonly version: string;
    readonly commit: string;
  };
  const local = localServer({ ...options, product, env: withOwnProgram(program) });
  const open = (authority: string): Promise<Connection> =>
    authority === hostAuthority ? local.connect() : Promise.resolve(bridgeTo(authority, program));
  const server = await serveLoopback({
    name: 'devenv',
    port: options.port,
    files: {
      client: tree.client,
      ...(proxy ? { webview: joinPath(tree.server, 'out/vs/workbench/contrib/webview/browser/pre') } : {}),
      ...extensions,
    },
    ...(proxy ? { proxy } : {}),
    open: ['client'],
    answer: async ({ pathname, searchParams }) => {
      if (pathname === '/')
        return page({
          ...product,
          port: server.port,
          proxy: proxy?.(server.port).origin,
          hostAuthority,
          nonce: randomBytes(16).toString('base64'),
        });
      return pathname === '/remote-resource' ? await remoteResource(searchParams, open, tree) : undefined;
    },
    sockets: {
      '/connect': (socket, query) => void joinTo(socket, () => open(authorityOf(query))),
      '/devenv-cli': (socket) => runForPage(socket, program),
    },
  });
  return {
    ...server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await local[Symbol.asyncDispose]();
    },
  };
}

/**
 * Terminals of this machine's windows have what the shell had in which we were started, and find devenv, also where nobody has put it
 * into the PATH. Without VSCODE_CLI the server would ask a login shell, which may set PATH anew.
 */
function withOwnProgram({ command, env }: DevenvProgram): DevenvProgram['env'] {
  return { ...env, PATH: [env['PATH'], dirname(command)].filter(Boolean).join(delimiter), VSCODE_CLI: '1' };
}

type Open = (authority: string) => Promise<Connection>;

function bridgeTo(authority: string, program: DevenvProgram): Connection {
  const child = startDevenv(program, ['code', '--bridge', authority.slice('devenv+'.length)], 'pipe');
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-4000)));
  child.once('error', (error) => (said = error.message));
  child.once('exit', () => child.stdin!.destroy()); // one that was killed leaves the command inside, which ends with its input
  child.stdin!.on('error', () => {});
  return { output: child.stdout!, input: child.stdin!, close: () => child.kill('SIGTERM'), reason: () => said.trim() };
}

/** Icons and images of extensions that are in the container: the client asks for them by address. */
async function remoteResource(query: URLSearchParams, open: Open, tree: EditorTree): Promise<Answer> {
  const own = ownFile(query.get('path') ?? '', tree);
  if (own) return own;
  const connection = await open(authorityOf(query));
  try {
    const { output, input } = connection;
    const stream = output instanceof Duplex ? output : Duplex.from({ readable: output, writable: input });
    const { token } =
      connection.greeting === undefined ? await readGreeting(stream) : (JSON.parse(connection.greeting) as { token: string });
    const asked = new URLSearchParams({ path: query.get('path') ?? '', tkn: token });
    const { status, type, body } = await getOver(stream, `/vscode-remote-resource?${asked.toString()}`);
    return { status, headers: { 'content-type': type, ...noPage }, body };
  } finally {
    connection.close();
  }
}

/** Whatever a resource is, it is no page of ours. */
const noPage = { 'content-security-policy': "default-src 'none'; sandbox" };

/** What the server has itself is the same here as in every container, and needs no connection. */
function ownFile(path: string, { server }: EditorTree): Answer | undefined {
  const inside = editorTree(editorPath).server;
  const folder = [inside, server].find((each) => path.startsWith(`${each}/`));
  if (folder === undefined) return undefined;
  const found = resolve(server, path.slice(folder.length + 1));
  if (!found.startsWith(`${server}/`) || !existsSync(found)) return { status: 404, body: 'There is no such file.' };
  const type = types[extname(found)] ?? 'application/octet-stream';
  return { headers: { 'content-type': type, 'cache-control': 'private, max-age=3600', ...noPage }, body: readFileSync(found) };
}

const types: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff': 'font/woff',
  '.woff2': 'font/woff2',
  '.ttf': 'font/ttf',
  '.css': 'text/css',
};

/** @throws Error for what is no authority of ours */
function authorityOf(query: URLSearchParams): string {
  const authority = query.get('authority') ?? '';
  if (authority === hostAuthority || /^devenv\+[0-9a-f]{16}$/.test(authority)) return authority;
  throw new Error('There is no such environment.');
}
