import type { Change, Status } from '@devenv/core';

export function reopenText({ state, environment }: Pick<Status, 'state' | 'environment'>): string {
  if (state === 'running') return `The environment ${environment?.name ?? ''} of this folder runs. Reopen the folder in it?`;
  return 'This folder has a devenv.json, which says in which environment it is worked on. Reopen it in its container?';
}

/** For a window that is inside. */
export function startText({ environment }: Pick<Status, 'environment'>): string {
  return `The environment ${environment ? `${environment.name} ` : ''}that this window is in does not run. Start it?`;
}

export const reloadText = 'devenv.json asks for other extensions or settings now. They come when this window is loaded anew.';

/** The words of `devenv status`. */
export function rebuildText(changes: readonly Change[]): string {
  const [first, ...others] = changes;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return first === undefined ? '' : `The environment is not what devenv.json says: ${changeText(first)}${more}`;
}

export function changeText({ text, effect }: Change): string {
  return `${text} · ${effect}`;
}

export function actionFor(changes: readonly Pick<Change, 'kind'>[]): 'Rebuild' | 'Restart' | 'Apply' {
  if (changes.some(({ kind }) => kind === 'rebuild')) return 'Rebuild';
  return changes.some(({ kind }) => kind === 'restart') ? 'Restart' : 'Apply';
}
