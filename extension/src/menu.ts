import { commands, window, type QuickPickItem } from 'vscode';
import type { State } from './state.ts';

interface Entry extends QuickPickItem {
  readonly command: string;
}

/** The commands that make sense now, from the status bar: package.json says the same to the palette. */
export async function showMenu(state: State): Promise<void> {
  const { inside, status, hasFile, place, work } = state;
  const idle = work === undefined;
  const changes = status?.changes.map(({ text, effect }) => `${text} · ${effect}`).join('; ');
  const running = status?.state === 'running';
  const entries: readonly (Entry | false)[] = [
    idle && status?.stale === true && { label: '$(sync) Rebuild and Reopen', detail: changes ?? '', command: 'rebuild' },
    idle && !inside && hasFile && { label: '$(window) Reopen in Container', command: 'reopenInContainer' },
    idle && inside && { label: '$(folder) Reopen Locally', command: 'reopenLocally' },
    (running || (inside && !status)) && { label: '$(terminal) Open Shell', command: 'openShell' },
    hasFile && { label: '$(json) Open devenv.json', command: 'openFile' },
    !hasFile && !inside && place !== undefined && { label: '$(new-file) Add devenv.json', command: 'addFile' },
    idle && hasFile && status?.stale !== true && { label: '$(sync) Rebuild and Reopen', command: 'rebuild' },
    idle && hasFile && { label: '$(sync) Rebuild Without Cache', command: 'rebuildWithoutCache' },
    { label: '$(output) Show Log', command: 'showLog' },
    idle && running && { label: '$(debug-stop) Stop', command: 'stop' },
    idle && status !== undefined && status.state !== 'absent' && { label: '$(trash) Remove', command: 'remove' },
  ];
  const chosen = await window.showQuickPick(
    entries.filter((entry) => entry !== false),
    { placeHolder: work ?? state.failure?.message ?? 'devenv' },
  );
  if (chosen) await commands.executeCommand(`devenv.${chosen.command}`);
}
