import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Rig } from './rig.ts';

/** A terminal window with the user's shell in it, which says `out$ ` when it waits. Disposed: the window is closed. */
export interface Terminal extends AsyncDisposable {
  /** Types a text, then Return. */
  type(text: string): Promise<void>;
  /** Keys by tmux's names: `C-c`, `Enter`, `BSpace`. */
  press(...keys: readonly string[]): Promise<void>;
  /** Waits until what is seen matches, and returns it. */
  shows(expected: RegExp): Promise<string>;
  screen(): Promise<string>;
  resize(columns: number, rows: number): Promise<void>;
  /** As when the window is closed or the line goes. */
  hangUp(): Promise<void>;
  /** The settings of the line, as `stty -g` tells them. */
  settings(): Promise<string>;
  /** The process that the shell has started. */
  job(): Promise<number>;
  /** Whether a full-screen program has the screen. */
  isAlternate(): Promise<boolean>;
}

/** tmux is the terminal: it draws what it is sent, as people see it. 80 × 24. */
export async function openTerminal({ base, user }: Rig, cwd: string): Promise<Terminal> {
  const socket = join(mkdtempSync(join(base, 'terminal-')), 'socket');
  const run = promisify(execFile);
  const tmux = async (...args: readonly string[]): Promise<string> =>
    (
      await run('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...args], {
        cwd,
        env: { ...user.env, TERM: 'xterm', COLORTERM: 'truecolor' },
      })
    ).stdout;
  const screen = (): Promise<string> => tmux('capture-pane', '-p');
  const ask = async (format: string): Promise<string> => (await tmux('display-message', '-p', format)).trim();
  const terminal: Terminal = {
    async type(text) {
      await tmux('send-keys', '-l', text);
      await tmux('send-keys', 'Enter');
    },
    async press(...keys) {
      await tmux('send-keys', ...keys);
    },
    screen,
    async shows(expected) {
      const patience = 20_000; // ms
      for (const end = performance.now() + patience; ; await delay(30)) {
        const seen = await screen();
        if (expected.test(seen)) return seen;
        if (performance.now() > end) throw new Error(`the terminal does not show ${expected}:\n${seen}`);
      }
    },
    async resize(columns, rows) {
      await tmux('resize-window', '-x', String(columns), '-y', String(rows));
    },
    async hangUp() {
      await tmux('kill-server');
    },
    settings: async () => (await run('stty', ['-g', '-F', await ask('#{pane_tty}')])).stdout,
    async job() {
      const shell = await ask('#{pane_pid}');
      return Number(readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').split(' ')[0]);
    },
    isAlternate: async () => (await ask('#{alternate_on}')) === '1',
    async [Symbol.asyncDispose]() {
      await tmux('kill-server').catch(() => {}); // it may be closed already
    },
  };
  // A shell that leaves the settings of the line alone: what a command leaves behind shows.
  await tmux('new-session', '-d', '-x', '80', '-y', '24', ...user.wrap(['env', 'PS1=out$ ', 'dash', '-i']));
  await terminal.shows(/^out\$$/m);
  return terminal;
}
