import { commands, window, workspace, type Disposable, type Memento } from 'vscode';
import type { Change, Status } from '@devenv/core';
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

export function reopenText({ state, environment }: Pick<Status, 'state' | 'environment'>): string {
  if (state === 'running') return `The environment ${environment?.name ?? ''} of this folder runs. Reopen the folder in it?`;
  return 'This folder has a devenv.json, which says in which environment it is worked on. Reopen it in its container?';
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

/** The words of `devenv status`. */
export function rebuildText(changes: readonly Change[]): string {
  const [first, ...others] = changes;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return first === undefined ? '' : `The environment is not what devenv.json says: ${changeText(first)}${more}`;
}

function changeText({ text, effect }: Change): string {
  return `${text} · ${effect}`;
}

export function actionFor(changes: readonly Pick<Change, 'kind'>[]): 'Rebuild' | 'Restart' | 'Apply' {
  if (changes.some(({ kind }) => kind === 'rebuild')) return 'Rebuild';
  return changes.some(({ kind }) => kind === 'restart') ? 'Restart' : 'Apply';
}
