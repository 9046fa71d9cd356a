import { commands, window, workspace, type Disposable, type Memento } from 'vscode';
import { actionFor, changeText, rebuildText, reloadText, reopenText, startText } from './offer-text.ts';
import type { State } from './state.ts';

const never = "Don't Ask Again";

/** Offers to go inside once for each window, unless it was told not to for this folder. */
export function offerToReopen(state: State, memory: Memento): Disposable {
  let offered = false;
  return state.onDidChange(async () => {
    const { hasFile, inside, folder, work, status } = state;
    if (offered || !hasFile || inside || !folder || !status || work !== undefined) return;
    offered = true;
    const key = `offerToReopen:${folder}`;
    if (memory.get(key) === false || workspace.getConfiguration('devenv', state.place?.uri).get('offerToReopen') === false) return;
    const chosen = await window.showInformationMessage(reopenText(status), 'Reopen in Container', never);
    if (chosen === 'Reopen in Container') await commands.executeCommand('devenv.reopenInContainer');
    if (chosen === never) await memory.update(key, false);
  });
}

/** Offers to start the environment that this window is in when it does not run, each time that it has stopped. */
export function offerToStart(state: State): Disposable {
  let offered = false;
  return state.onDidChange(async () => {
    const { inside, status, work } = state;
    if (!inside || !status || work !== undefined) return;
    const before = offered;
    offered = status.state !== 'running';
    if (!offered || before) return;
    const chosen = await window.showWarningMessage(startText(status), 'Start', 'Reopen Locally');
    if (chosen === 'Start') await commands.executeCommand('devenv.update');
    if (chosen === 'Reopen Locally') await commands.executeCommand('devenv.reopenLocally');
  });
}

/** Offers to bring the environment in line when its file, or an input of a step, has changed; for the same changes once. */
export function offerToRebuild(state: State): Disposable {
  let offered = '';
  return state.onDidChange(async () => {
    const { status, failure, work } = state;
    if (!status || failure || work !== undefined) return;
    const changes = status.changes.map(changeText).join('\n');
    if (changes === offered) return;
    offered = changes;
    if (changes === '' || status.state !== 'running') return;
    const action = actionFor(status.changes);
    if ((await window.showInformationMessage(rebuildText(status.changes), action, 'Later')) === action)
      await commands.executeCommand('devenv.update');
  });
}

/** Offers to load a window that is inside anew when other extensions or settings are asked for than it has begun with: they come with that. */
export function offerToReload(state: State, memory: Memento): Disposable {
  let loaded: string | undefined;
  let offered: string | undefined;
  return state.onDidChange(async () => {
    const { place, status, failure, work } = state;
    const key = `customizations:${place?.environmentId}`;
    if (!place?.environmentId || work !== undefined) return;
    // A window that begins while the file cannot be read has what the one before had.
    if (failure) loaded ??= memory.get<string>(key);
    if (failure || status?.state !== 'running') return;
    const wanted = JSON.stringify(status.customizations?.['vscode'] ?? {});
    if (loaded === undefined) await memory.update(key, (loaded = wanted));
    // What a rebuild or a restart takes loads the window anew.
    if (status.changes.some(({ kind }) => kind !== 'hot') || wanted === (offered ?? loaded)) return;
    offered = wanted;
    if (wanted === loaded) return;
    const chosen = await window.showInformationMessage(reloadText, 'Reload Window', 'Later');
    if (chosen === 'Reload Window') await commands.executeCommand('devenv.loadAnew');
  });
}
