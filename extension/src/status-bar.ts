import { StatusBarAlignment, ThemeColor, window, type Disposable } from 'vscode';
import type { State } from './state.ts';
import { statusText } from './status-text.ts';

export function showStatus(state: State): Disposable[] {
  const item = window.createStatusBarItem('devenv.status', StatusBarAlignment.Left, 50);
  item.name = 'devenv';
  item.command = 'devenv.showMenu';
  const show = (): void => {
    const shown = statusText(state);
    if (!shown) return item.hide();
    item.text = shown.text;
    item.tooltip = shown.tooltip;
    item.backgroundColor = shown.warning ? new ThemeColor('statusBarItem.warningBackground') : undefined;
    item.show();
  };
  return [item, state.onDidChange(show)];
}
