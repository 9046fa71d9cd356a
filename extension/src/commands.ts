import { commands, env, extensions, UIKind, Uri, window, type Disposable, type LogOutputChannel } from 'vscode';
import type { Environment, UpResult } from '@devenv/core';
import { Failure } from './devenv.ts';
import { showFailure } from './failures.ts';
import { fileOf, uriInside, type Place } from './place.ts';
import type { Port } from './environments-view.ts';
import { showMenu } from './menu.ts';
import type { State } from './state.ts';
import type { Shells } from './terminal.ts';
import type { Work } from './work.ts';

export interface CommandTools {
  readonly state: State;
  readonly work: Work;
  readonly log: LogOutputChannel;
  readonly shells: Shells;
  readonly diagnose: () => unknown;
}

/** What every entry of the palette and of the view does. */
export function registerCommands(tools: CommandTools): Disposable[] {
  const { state, work, log, shells } = tools;
  const here = (): string => {
    if (state.folder !== undefined) return state.folder;
    throw state.failure ?? new Failure('NO_FOLDER', 'This window has no folder that devenv could work on.', { hint: 'Open one first.' });
  };
  const table: Readonly<Record<string, (...values: never[]) => unknown>> = {
    reopenInContainer: async () => await reopen(await up('Starting the environment')),
    rebuild: async () => await arrive(await up('Rebuilding the environment')),
    rebuildWithoutCache: async () => await arrive(await up('Rebuilding every step', '--no-cache')),
    /** As rebuild, and the window stays where it is. */
    update: async () => await arrive(await up('Bringing the environment in line'), true),
    reopenLocally: async () => await openFolder(Uri.file(here())),
    openFile: async () => state.place && (await window.showTextDocument(fileOf(state.place))),
    addFile: async () => {
      await work.run('Writing devenv.json', ['init'], here());
      await state.refresh();
      if (state.place) await window.showTextDocument(fileOf(state.place));
    },
    showLog: () => log.show(),
    stop: async () => await stop(here()),
    remove: async () => await remove(here(), state.status?.environment?.name ?? 'this folder'),
    openShell: () => shells.open(state.inside ? undefined : here()),
    showMenu: async () => await showMenu(state),
    /** For the companion, when another server answers than the one that the window began with. */
    loadAnew: async () => (state.work === undefined ? await loadAnew() : undefined),
    refresh: async () => await state.refresh(),
    'environment.open': of<Environment>(async ({ folder }) => await reopen(await up('Starting the environment', undefined, folder))),
    'environment.stop': of<Environment>(async ({ folder }) => await stop(folder)),
    'environment.remove': of<Environment>(async ({ folder, name }) => await remove(folder, name)),
    'environment.openShell': of<Environment>(({ folder, environmentId }) =>
      shells.open(environmentId === state.place?.environmentId ? undefined : folder),
    ),
    'port.open': of<Port>(async ({ address }) => await env.openExternal(Uri.parse(`http://${address}`))),
    'port.copy': of<Port>(async ({ address }) => await env.clipboard.writeText(address)),
  };

  async function up(title: string, flag?: string, folder: string = here()): Promise<UpResult> {
    return await work.run<UpResult>(title, flag === undefined ? ['up'] : ['up', flag], folder);
  }

  async function stop(folder: string): Promise<void> {
    await work.run('Stopping the environment', ['stop'], folder);
    await leave(folder);
  }

  async function remove(folder: string, name: string): Promise<void> {
    const detail = 'Its volumes and the cached layers stay, so that starting it again is quick.';
    if ((await window.showWarningMessage(`Remove the environment of ${name}?`, { modal: true, detail }, 'Remove')) !== 'Remove') return;
    await work.run('Removing the environment', ['down'], folder);
    await leave(folder);
  }

  /** A window whose container has ended shows the folder on the host: inside it could only wait. */
  async function leave(folder: string): Promise<void> {
    if (state.inside && folder === here()) await openFolder(Uri.file(folder));
  }

  /** Into the container, or into what `up` has put in its place; a window that was not disturbed stays. */
  async function arrive(result: UpResult, stay: boolean = false): Promise<void> {
    if (!state.inside) return stay ? undefined : await reopen(result);
    if (result.action !== 'created' && result.action !== 'recreated' && result.action !== 'started') return;
    if (isAt(state.place, result)) await loadAnew();
    else await reopen(result); // the file has another "workspace" now
  }

  async function reopen({ environmentId, remoteWorkspaceFolder }: UpResult): Promise<void> {
    if (joinsContainers()) return await openFolder(uriInside(environmentId, remoteWorkspaceFolder));
    const text = 'The environment runs. This editor cannot show a window in it by itself; devenv code opens one in the browser.';
    if ((await window.showInformationMessage(text, 'Open in Browser')) === 'Open in Browser') shells.openCode(here());
  }

  return Object.entries(table).map(([name, act]) => commands.registerCommand(`devenv.${name}`, guarded(tools, act)));
}

/** Whether the window's folder is the workspace, or in it. */
function isAt(place: Place | undefined, { environmentId, remoteWorkspaceFolder }: UpResult): boolean {
  return place?.environmentId === environmentId && `${place.uri.path}/`.startsWith(`${remoteWorkspaceFolder.replace(/\/$/, '')}/`);
}

/** What a row of the view does. A keybinding names no row, nor does one that has just changed. */
function of<Row>(act: (row: Row) => unknown): (row?: Row) => unknown {
  return (row) => (row === undefined ? undefined : act(row));
}

function guarded(tools: CommandTools, act: (...values: never[]) => unknown): (...values: never[]) => Promise<void> {
  const perform = async (...values: never[]): Promise<void> => {
    try {
      // A command may be what the extension was started for.
      if (!tools.state.place) await tools.state.refresh();
      await act(...values);
    } catch (error) {
      const { log, state, diagnose } = tools;
      await showFailure(error, { log, place: state.place, diagnose, again: () => perform(...values) });
    }
  };
  return perform;
}

async function loadAnew(): Promise<void> {
  await commands.executeCommand('workbench.action.reloadWindow');
}

async function openFolder(uri: Uri): Promise<void> {
  await commands.executeCommand('vscode.openFolder', uri, { forceReuseWindow: true });
}

/** On the desktop that takes the companion; of the editors in a page only the one that `devenv code` serves can. */
function joinsContainers(): boolean {
  return env.uiKind === UIKind.Web ? env.appName.startsWith('devenv') : extensions.getExtension('devenv.devenv-resolver') !== undefined;
}
