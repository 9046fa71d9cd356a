import { workspace, type Disposable, type Uri } from 'vscode';
import type { Plan } from '@devenv/core';
import { Failure, type Devenv } from './devenv.ts';
import { inputsOf, matters, type Inputs } from './inputs.ts';
import type { State } from './state.ts';

/** Editors write a file in several strokes, and checkouts change many. */
const settleMs = 300;

/** Looks again when the file, its local file, or what a step reads has changed. */
export function watchInputs(devenv: Devenv, state: State): Disposable[] {
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Until it is known what steps read, any file may be what they read.
  let inputs: Inputs | undefined;
  const learn = async (): Promise<void> => {
    if (!state.folder || !state.status || state.status.state === 'absent') return;
    try {
      const { steps } = await devenv.call<Plan>(['plan'], { folder: state.folder });
      inputs = inputsOf(steps.flatMap(({ files }) => files.map(({ path }) => path)));
    } catch (error) {
      if (!(error instanceof Failure)) throw error; // the state tells of it
    }
  };
  const look = async (): Promise<void> => {
    await state.refresh();
    await learn();
  };
  const anything = (): Inputs | undefined => (state.status?.state === 'absent' ? inputsOf([]) : undefined);
  const changed = (uri: Uri): void => {
    const root = state.place?.uri.path;
    if (root === undefined || !uri.path.startsWith(`${root}/`)) return;
    if (!matters(uri.path.slice(root.length + 1), inputs ?? anything())) return;
    clearTimeout(timer);
    timer = setTimeout(() => void look(), settleMs);
  };
  const watcher = workspace.createFileSystemWatcher('**/*');
  let learned = false;
  const first = state.onDidChange(() => {
    if (learned || state.work !== undefined || !state.status || state.status.state === 'absent') return;
    learned = true;
    void learn();
  });
  const end = { dispose: () => clearTimeout(timer) };
  // What is saved here is known at once, also where the watcher says nothing: on some network file systems, or while it starts.
  const saved = workspace.onDidSaveTextDocument(({ uri }) => changed(uri));
  return [watcher, watcher.onDidChange(changed), watcher.onDidCreate(changed), watcher.onDidDelete(changed), saved, first, end];
}
