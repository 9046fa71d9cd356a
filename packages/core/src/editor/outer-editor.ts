import { postJson } from '../base/http-over-stream.ts';

/** An editor with a server, in whose terminal we were started: its user may sit at another machine. */
export interface OuterEditor {
  /** Where it shows a port of this machine, when that is at its own address (code-server); others know what `localhost` means. */
  readonly proxy: ((port: number) => URL) | undefined;
  /** Opens an address where its user sits. */
  open(url: string): Promise<void>;
}

export function outerEditor(env: Readonly<Record<string, string | undefined>>): OuterEditor | undefined {
  const { VSCODE_IPC_HOOK_CLI: socket, VSCODE_PROXY_URI: template } = env;
  const proxy = proxyOf(template);
  if (!socket && !proxy) return undefined;
  return {
    proxy,
    async open(url) {
      // Not by its program: arguments are for everybody on the machine to see, and the address has a secret.
      if (socket) await postJson(socket, { type: 'openExternal', uris: [url] });
    },
  };
}

/** It may be `https://HOST/proxy/{{port}}/` or `https://{{port}}.HOST`. */
function proxyOf(template: string | undefined): OuterEditor['proxy'] {
  if (!template?.includes('{{port}}')) return undefined;
  const at = (port: number): URL | null => URL.parse(template.replaceAll('{{port}}', String(port)));
  return /^https?:$/.test(at(1)?.protocol ?? '') ? (port) => at(port)! : undefined;
}
