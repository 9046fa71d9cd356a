import { commands, env, Uri, window, workspace, type Disposable } from 'vscode';
import type { Status } from '@devenv/core';
import { Failure, type Devenv } from './devenv.ts';
import { portReader, tables } from './listening.ts';
import { withPort } from './local-file.ts';
import type { State } from './state.ts';

const never = "Don't Ask Again";

/** While the window is inside: a process that begins to listen is noticed, and its port offered to this machine. */
export function offerPorts(devenv: Devenv, state: State): Disposable[] {
  const asked = new Set<number>();
  let watching: AbortController | undefined;
  const offer = async (port: number): Promise<void> => {
    if (asked.has(port) || !state.folder || !enabled(state)) return;
    asked.add(port);
    const published = state.status?.environment?.ports.find(({ containerPort }) => containerPort === port);
    const chosen = await window.showInformationMessage(
      published
        ? `Port ${port} of the environment answers at ${published.address}.`
        : `A process in the environment listens on port ${port}.`,
      published ? 'Open in Browser' : 'Forward Port',
      never,
    );
    if (chosen === 'Forward Port') await forward(port, devenv, state);
    if (chosen === 'Open in Browser' && published) await env.openExternal(Uri.parse(`http://${published.address}`));
    if (chosen === never) await workspace.getConfiguration('devenv', state.place?.uri).update('offerPorts', false);
  };
  const follow = (): void => {
    const wanted = state.inside && state.status?.state === 'running' && enabled(state);
    if (!wanted || watching) return wanted ? undefined : watching?.abort();
    const own = new AbortController();
    watching = own;
    const reader = portReader((port) => void offer(port));
    let answered = false;
    const read = (line: string): void => {
      answered = true;
      reader(line);
    };
    const ended = (): void => {
      watching = undefined;
      if (answered && !own.signal.aborted) void state.refresh(); // most likely the environment has stopped
    };
    devenv
      .follow(['exec', '-C', state.folder ?? '', '-T', '-u', 'root', '-w', '/', '--', '/bin/sh', '-c', tables], read, own.signal)
      .then(ended, ended);
  };
  return [state.onDidChange(follow), { dispose: () => watching?.abort() }];
}

function enabled(state: State): boolean {
  return workspace.getConfiguration('devenv', state.place?.uri).get('offerPorts') !== false;
}

/** Into devenv.local.json, which is the user's own; that applies at once, unless something else has to be rebuilt too. */
async function forward(port: number, devenv: Devenv, state: State): Promise<void> {
  if (!state.place || !state.folder) return;
  const file = Uri.joinPath(state.place.uri, 'devenv.local.json');
  await workspace.fs.writeFile(file, new TextEncoder().encode(withPort(await textOf(file), port)));
  try {
    const { changes } = await devenv.call<Status>(['status'], { folder: state.folder });
    if (changes.every(({ kind }) => kind === 'hot')) await commands.executeCommand('devenv.update');
  } catch (error) {
    if (!(error instanceof Failure)) throw error; // the state tells of it
  }
}

async function textOf(file: Uri): Promise<string> {
  try {
    return new TextDecoder().decode(await workspace.fs.readFile(file));
  } catch {
    return '{}\n';
  }
}
