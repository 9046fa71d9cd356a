import type { Answer } from '../base/loopback-server.ts';

export interface PageOptions {
  /** Of the server's product.json: a client that says another one is refused. */
  readonly version: string;
  readonly commit: string;
  readonly nonce: string;
  readonly port: number;
  /** Origin of a proxy that shows us, too. */
  readonly proxy: string | undefined;
  /** Authority of windows that show this machine. */
  readonly hostAuthority: string;
}

/**
 * The page around the web client. What it shows is in its own address: `?environment=ID&folder=PATH` a container, `?folder=PATH` this
 * machine. Nothing in it leads to another host, and its policy forbids it; webviews have origins of their own, X.devenv.localhost,
 * unless a proxy shows the page, which has one origin only.
 */
export function page(options: PageOptions): Answer {
  const { nonce, port, proxy = '' } = options;
  const own = [...['devenv.localhost', 'localhost', '127.0.0.1'].map((host) => `ws://${host}:${port}`), proxy.replace(/^http/, 'ws')].join(
    ' ',
  );
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

function html({ nonce, proxy: _proxy, ...settings }: PageOptions): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>devenv</title><link rel="icon" href="client/favicon.ico">
<link rel="stylesheet" href="client/out/vs/workbench/workbench.web.main.internal.css"></head>
<body aria-label="devenv"></body>
<script type="module" nonce="${nonce}">
const settings = ${JSON.stringify(settings).replaceAll('<', '\\u003c')};
const base = new URL('.', location.href);
const place = (path) => new URL(path, base).href;
globalThis._VSCODE_FILE_ROOT = place('client/out/');
await import(place('client/out/nls.messages.js'));
const { create, URI } = await import(place('client/out/vs/workbench/workbench.web.main.internal.js'));
const asked = new URLSearchParams(location.search);
const [environment, folder, file] = ['environment', 'folder', 'workspace'].map((name) => asked.get(name) ?? undefined);
const remoteAuthority = environment === undefined ? settings.hostAuthority : 'devenv+' + environment;
const at = (path) => URI.from({ scheme: 'vscode-remote', authority: remoteAuthority, path });
const extension = (path) => URI.parse(place(path));
// Of our own site if our name allows: browsers that keep strangers' cookies out break webviews otherwise.
const site = location.hostname === 'devenv.localhost' ? 'devenv.localhost' : 'localhost';
const own = ['devenv.localhost', 'localhost', '127.0.0.1'].some((name) => location.host === name + ':' + settings.port);
const webviews = own
  ? 'http://{{uuid}}.' + site + ':' + location.port + '/client/out/vs/workbench/contrib/webview/browser/pre/'
  : place('webview/');
const address = (uri) => {
  const parameters = new URLSearchParams();
  const authority = decodeURIComponent(uri.authority);
  if (uri.scheme === 'vscode-remote' && authority.startsWith('devenv+')) parameters.set('environment', authority.slice('devenv+'.length));
  parameters.set(uri.path.endsWith('.code-workspace') ? 'workspace' : 'folder', uri.path);
  return place('?' + parameters);
};
create(document.body, {
  remoteAuthority,
  additionalBuiltinExtensions: [extension('resolver'), extension('extension')],
  enableWorkspaceTrust: true,
  productConfiguration: {
    nameShort: 'devenv', nameLong: 'devenv code', applicationName: 'devenv', dataFolderName: '.devenv-code', urlProtocol: 'devenv-code',
    version: settings.version, commit: settings.commit, quality: 'stable',
    webEndpointUrlTemplate: place('client'),
    webviewContentExternalBaseUrlTemplate: webviews,
    extensionEnabledApiProposals: { 'devenv.devenv-resolver': ['resolvers'] },
    enableTelemetry: false,
  },
  resourceUriProvider: (uri) =>
    URI.parse(place('remote-resource') + '?' + new URLSearchParams({ authority: decodeURIComponent(uri.authority), path: uri.path })),
  configurationDefaults: {
    'workbench.startupEditor': 'none',
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'chat.disableAIFeatures': true,
    'telemetry.telemetryLevel': 'off',
    'security.workspace.trust.startupPrompt': 'once', // else there is only a banner, and nothing of ours
    'extensions.autoCheckUpdates': false,
    'terminal.integrated.detectLocale': 'off', // it would be a language that few images have
  },
  workspaceProvider: {
    trusted: true,
    workspace: folder !== undefined ? { folderUri: at(folder) } : file !== undefined ? { workspaceUri: at(file) } : undefined,
    async open(workspace, options) {
      const uri = workspace?.folderUri ?? workspace?.workspaceUri;
      const target = uri ? address(uri) : base.href;
      if (options?.reuse === false) return window.open(target, '_blank') !== null;
      location.href = target;
      return true;
    },
  },
});
</script></html>
`;
}
