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
export function offerToReload(state: State): Disposable {
  let loaded: string | undefined;
  let offered: string | undefined;
  return state.onDidChange(async () => {
    const { inside, status, failure, work } = state;
    if (!inside || status?.state !== 'running' || failure || work !== undefined) return;
    if (status.changes.some(({ kind }) => kind !== 'hot')) return; // what that takes loads the window anew
    const wanted = JSON.stringify(status.customizations?.['vscode'] ?? {});
    loaded ??= wanted;
    const before = offered ?? loaded;
    offered = wanted;
    if (wanted === before || wanted === loaded) return;
    if ((await window.showInformationMessage(reloadText, 'Reload Window', 'Later')) === 'Reload Window')
      await commands.executeCommand('workbench.action.reloadWindow');
  });
}
