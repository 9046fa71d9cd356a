import { commands, window, type QuickPickItem } from 'vscode';
import type { State } from './state.ts';

interface Entry extends QuickPickItem {
  readonly command: string;
}

/** The commands that make sense now, from the status bar. */
export async function showMenu(state: State): Promise<void> {
  const { inside, status, hasFile } = state;
  const changes = status?.changes.map(({ text, effect }) => `${text} · ${effect}`).join('; ');
  const running = status?.state === 'running';
  const entries: readonly (Entry | false)[] = [
    status?.stale === true && { label: '$(sync) Rebuild and Reopen', detail: changes ?? '', command: 'rebuild' },
    !inside && { label: '$(window) Reopen in Container', command: 'reopenInContainer' },
    inside && { label: '$(folder) Reopen Locally', command: 'reopenLocally' },
    (inside || running) && { label: '$(terminal) Open Shell', command: 'openShell' },
    hasFile && { label: '$(json) Open devenv.json', command: 'openFile' },
    status?.stale !== true && { label: '$(sync) Rebuild and Reopen', command: 'rebuild' },
    { label: '$(sync) Rebuild Without Cache', command: 'rebuildWithoutCache' },
    { label: '$(output) Show Log', command: 'showLog' },
    running && { label: '$(debug-stop) Stop', command: 'stop' },
    status !== undefined && status.state !== 'absent' && { label: '$(trash) Remove', command: 'remove' },
  ];
  const chosen = await window.showQuickPick(
    entries.filter((entry) => entry !== false),
    { placeHolder: state.failure?.message ?? 'devenv' },
  );
  if (chosen) await commands.executeCommand(`devenv.${chosen.command}`);
}
