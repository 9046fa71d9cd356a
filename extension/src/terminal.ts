import { TerminalProfile, ThemeIcon, window, type Disposable, type TerminalOptions } from 'vscode';
import { quoted } from './quoted.ts';
import type { State } from './state.ts';

/** Terminals that devenv has to do with. A window in the container needs none of its program: every terminal is inside. */
export class Shells {
  readonly #program: () => string;

  constructor(program: () => string) {
    this.#program = program;
  }

  /** Without a folder: the window is in the container. */
  open(folder: string | undefined): void {
    window.createTerminal(this.options(folder)).show();
  }

  /** Serves this folder's environment to the browser until the terminal is closed. */
  openCode(folder: string): void {
    const terminal = window.createTerminal({ name: 'devenv code' });
    terminal.show();
    // Typed into a shell, so that what it says stays after its end.
    terminal.sendText([this.#program(), 'code', '-C', folder].map(quoted).join(' '));
  }

  options(folder: string | undefined): TerminalOptions {
    const look = { name: 'devenv', iconPath: new ThemeIcon('vm-connect') };
    return folder === undefined ? look : { ...look, shellPath: this.#program(), shellArgs: ['shell', '-C', folder] };
  }
}

/** The profile "devenv" in the terminal's list. */
export function registerProfile(state: State, shells: Shells): Disposable {
  return window.registerTerminalProfileProvider('devenv.shell', {
    provideTerminalProfile: async () => {
      if (!state.place) await state.refresh();
      return new TerminalProfile(shells.options(state.inside ? undefined : state.folder));
    },
  });
}
