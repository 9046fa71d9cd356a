import { env, Uri, window, workspace, type Disposable, type Memento } from 'vscode';
import type { Status, UpResult } from '@devenv/core';
import { Failure, type Devenv } from './devenv.ts';
import { describeFailure } from './failure-text.ts';
import { portReader, tables } from './listening.ts';
import { withPort } from './local-file.ts';
import type { State } from './state.ts';
import type { Work } from './work.ts';

const never = "Don't Ask Again";

interface Tools {
  readonly devenv: Devenv;
  readonly state: State;
  readonly work: Work;
  readonly memory: Memento;
}

/** While the window is inside: a process that begins to listen is noticed, and its port offered to this machine. */
export function offerPorts(tools: Tools): Disposable[] {
  const { devenv, state, memory } = tools;
  const asked = new Set<number>();
  let watching: AbortController | undefined;
  const offer = async (port: number): Promise<void> => {
    if (asked.has(port) || !state.folder || !isWanted(state, memory)) return;
    asked.add(port);
    const published = state.status?.environment?.ports.find(({ containerPort }) => containerPort === port);
    const chosen = await window.showInformationMessage(
      published
        ? `Port ${port} of the environment answers at ${published.address}.`
        : `A process in the environment listens on port ${port}.`,
      published ? 'Open in Browser' : 'Forward Port',
      never,
    );
    if (chosen === 'Forward Port') await forward(port, tools);
    if (chosen === 'Open in Browser' && published) await env.openExternal(Uri.parse(`http://${published.address}`));
    if (chosen === never) await memory.update(keyOf(state), false);
  };
  const follow = (): void => {
    const wanted = state.inside && state.status?.state === 'running' && isWanted(state, memory);
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

function isWanted(state: State, memory: Memento): boolean {
  return memory.get(keyOf(state)) !== false && workspace.getConfiguration('devenv', state.place?.uri).get('offerPorts') !== false;
}

/** Where the answer for a folder is kept: not in its settings, which are everybody's. */
function keyOf({ folder }: State): string {
  return `offerPorts:${folder ?? ''}`;
}

/** Into devenv.local.json, which is the user's own; that applies at once, unless something else has to be rebuilt too. */
async function forward(port: number, { devenv, state, work }: Tools): Promise<void> {
  const { place, folder } = state;
  if (!place || folder === undefined) return;
  const file = Uri.joinPath(place.uri, 'devenv.local.json');
  const before = await textOf(file);
  const write = async (entry: number | string): Promise<void> =>
    await workspace.fs.writeFile(file, new TextEncoder().encode(withPort(before, entry)));
  const apply = async (): Promise<unknown> => await work.run<UpResult>(`Forwarding port ${port}`, ['up'], folder);
  try {
    await write(port);
    const { changes } = await devenv.call<Status>(['status'], { folder });
    if (!changes.every(({ kind }) => kind === 'hot')) return; // there is an offer to rebuild
    await apply().catch(async (error: unknown) => {
      if (!(error instanceof Failure) || error.code !== 'PORT_TAKEN') throw error;
      await write(`0:${port}`); // any that is free here
      await apply();
      await state.refresh();
      await tellWhere(port, state);
    });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    if (error.code !== 'CANCELLED') void window.showErrorMessage(describeFailure(error).text);
  }
}

/** Of a port that could not have its own number. */
async function tellWhere(port: number, { status }: State): Promise<void> {
  const address = status?.environment?.ports.find(({ containerPort }) => containerPort === port)?.address;
  const text = `Port ${port} of this machine is taken. That of the environment answers at ${address ?? 'another one'}.`;
  if (address !== undefined && (await window.showInformationMessage(text, 'Open in Browser')) !== undefined)
    await env.openExternal(Uri.parse(`http://${address}`));
}

async function textOf(file: Uri): Promise<string> {
  try {
    return new TextDecoder().decode(await workspace.fs.readFile(file));
  } catch {
    return '{}\n';
  }
}
