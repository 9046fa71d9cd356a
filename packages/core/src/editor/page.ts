import type { Answer } from '../base/loopback-server.ts';

export interface PageOptions {
  /** Of the server's product.json: a client that says another one is refused. */
  readonly version: string;
  readonly commit: string;
  readonly nonce: string;
  readonly port: number;
  /** Authority of windows that show this machine. */
  readonly hostAuthority: string;
}

/**
 * The page around the web client. What it shows is in its own address: `?environment=ID&folder=PATH` a container, `?folder=PATH` this
 * machine. Nothing in it leads to another host, and its policy forbids it; webviews have origins of their own, X.devenv.localhost.
 */
export function page(options: PageOptions): Answer {
  const { nonce, port } = options;
  const own = ['devenv.localhost', 'localhost', '127.0.0.1'].map((host) => `ws://${host}:${port}`).join(' ');
  const policy = [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}' 'unsafe-eval' blob:`,
    "worker-src 'self' blob: data:",
    `frame-src 'self' blob: data: http://*.localhost:${port} http://*.devenv.localhost:${port}`,
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "font-src 'self' data: blob:",
    "media-src 'self' data: blob:",
    `connect-src 'self' data: blob: ${own}`,
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  return { headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }, body: html(options) };
}

function html({ nonce, ...settings }: PageOptions): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>devenv</title><link rel="icon" href="/client/favicon.ico">
<link rel="stylesheet" href="/client/out/vs/workbench/workbench.web.main.internal.css"></head>
<body aria-label="devenv"></body>
<script type="module" nonce="${nonce}">
const settings = ${JSON.stringify(settings).replaceAll('<', '\\u003c')};
globalThis._VSCODE_FILE_ROOT = location.origin + '/client/out/';
await import('/client/out/nls.messages.js');
const { create, URI } = await import('/client/out/vs/workbench/workbench.web.main.internal.js');
const asked = new URLSearchParams(location.search);
const [environment, folder, file] = ['environment', 'folder', 'workspace'].map((name) => asked.get(name) ?? undefined);
const remoteAuthority = environment === undefined ? settings.hostAuthority : 'devenv+' + environment;
const at = (path) => URI.from({ scheme: 'vscode-remote', authority: remoteAuthority, path });
const extension = (path) => URI.from({ scheme: location.protocol.slice(0, -1), authority: location.host, path: '/' + path });
// Of our own site if our name allows: browsers that keep strangers' cookies out break webviews otherwise.
const webviews = location.hostname === 'devenv.localhost' ? 'devenv.localhost' : 'localhost';
const address = (uri) => {
  const parameters = new URLSearchParams();
  const authority = decodeURIComponent(uri.authority);
  if (uri.scheme === 'vscode-remote' && authority.startsWith('devenv+')) parameters.set('environment', authority.slice('devenv+'.length));
  parameters.set(uri.path.endsWith('.code-workspace') ? 'workspace' : 'folder', uri.path);
  return '/?' + parameters;
};
create(document.body, {
  remoteAuthority,
  additionalBuiltinExtensions: [extension('resolver'), extension('extension')],
  enableWorkspaceTrust: false,
  productConfiguration: {
    nameShort: 'devenv', nameLong: 'devenv code', applicationName: 'devenv', dataFolderName: '.devenv-code', urlProtocol: 'devenv-code',
    version: settings.version, commit: settings.commit, quality: 'stable',
    webEndpointUrlTemplate: location.origin + '/client',
    webviewContentExternalBaseUrlTemplate: 'http://{{uuid}}.' + webviews + ':' + location.port + '/client/out/vs/workbench/contrib/webview/browser/pre/',
    extensionEnabledApiProposals: { 'devenv.devenv-resolver': ['resolvers'] },
    enableTelemetry: false,
  },
  resourceUriProvider: (uri) =>
    URI.parse(location.origin + '/remote-resource?' + new URLSearchParams({ authority: decodeURIComponent(uri.authority), path: uri.path })),
  configurationDefaults: {
    'workbench.startupEditor': 'none',
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'chat.disableAIFeatures': true,
    'telemetry.telemetryLevel': 'off',
    'extensions.autoCheckUpdates': false,
  },
  workspaceProvider: {
    trusted: true,
    workspace: folder !== undefined ? { folderUri: at(folder) } : file !== undefined ? { workspaceUri: at(file) } : undefined,
    async open(workspace, options) {
      const uri = workspace?.folderUri ?? workspace?.workspaceUri;
      const target = uri ? address(uri) : '/';
      if (options?.reuse === false) return window.open(target, '_blank') !== null;
      location.href = target;
      return true;
    },
  },
});
</script></html>
`;
}
