import { existsSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { CodeHost, CodeOptions, CodeWindow, Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { start } from './base/processes.ts';
import { addServer } from './editor/add-server.ts';
import { browserHost } from './editor/browser-host.ts';
import { bringUp } from './editor/bring-up.ts';
import { findDesktop } from './editor/desktop.ts';
import { installEditor } from './editor/install-editor.ts';
import { outerEditor } from './editor/outer-editor.ts';
import { configOrThrow } from './enter.ts';
import { placesOf } from './open-tools.ts';

/** Opens or serves an editor, with a window in the environment (which is brought up) or on the folder of this machine. */
export async function code(options: CodeOptions): Promise<CodeHost | CodeWindow> {
  const { directory, runtime, state } = editorPlaces(options);
  const asked = resolve(options.cwd, options.folder ?? '.');
  if (!existsSync(asked)) throw new UserError('FILE_NOT_FOUND', `There is no folder ${asked}.`);
  const folder = options.local ? realpathSync(asked) : dirname(configOrThrow({ ...options, cwd: asked }));
  const program = { command: options.program, env: options.env, cwd: folder };
  const ownServer = options.env['DEVENV_EDITOR_SERVER'];
  if (ownServer) await addServer(resolve(options.cwd, ownServer), directory, options.signal);
  const outer = outerEditor(options.env);
  const desktop = options.local || options.browser || outer ? undefined : await findDesktop({ env: options.env, directory });
  if (desktop?.able) {
    const { environmentId, remoteWorkspaceFolder } = await bringUp(program, options);
    desktop.open(`devenv+${environmentId}`, remoteWorkspaceFolder);
    return { opened: 'desktop', program: desktop.program, folder, environmentId };
  }
  if (desktop) tellWhyNot(desktop.program, desktop.reasons, options);
  const context = { directory, env: options.env, report: options.report, signal: options.signal };
  const tree = await installEditor(context);
  const environment = options.local ? undefined : await bringUp(program, options);
  const places = { runtime, data: state, proxy: outer?.proxy };
  const host = await browserHost({ tree, extensions: options.extensions, program, port: options.port ?? 0, ...places });
  const query = environment ? { environment: environment.environmentId, folder: environment.remoteWorkspaceFolder } : { folder };
  const plain = host.url(`/?${new URLSearchParams(query).toString()}`);
  const url = outer ? plain.replace('//devenv.localhost:', '//localhost:') : plain; // the name that it forwards
  return {
    opened: 'page',
    url,
    port: host.port,
    folder,
    ...(environment ? { environmentId: environment.environmentId } : {}),
    openInBrowser: () => (outer ? void outer.open(url).catch(() => {}) : openInBrowser(url, runtime, options.env)),
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  };
}

function tellWhyNot(program: string, reasons: readonly string[], { report }: Pick<Options, 'report'>): void {
  const message = `${program} cannot open environments yet, so this opens in the browser:\n${reasons.map((reason) => `  ${reason}`).join('\n')}`;
  report({ type: 'notice', level: 'info', message });
}

function editorPlaces(options: Pick<Options, 'env'>): { readonly directory: string; readonly runtime: string; readonly state: string } {
  const places = placesOf(options);
  return { directory: places.editor, runtime: places.runtime, state: join(places.state, 'editor') };
}

/** By way of a file that only the user can read: arguments of programs are for everybody to see, and the address has a secret. */
function openInBrowser(url: string, runtime: string, env: Options['env']): void {
  mkdirSync(runtime, { recursive: true, mode: 0o700 });
  const file = join(runtime, 'open-editor.html');
  writeFileSync(file, `<!doctype html><meta charset="utf-8"><script>location.replace(${JSON.stringify(url)})</script>\n`, { mode: 0o600 });
  start('xdg-open', [file], { stdio: 'ignore', env, detached: true })
    .on('error', () => {}) // the address has been printed
    .unref();
}
