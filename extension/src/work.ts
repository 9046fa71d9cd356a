import { ProgressLocation, window, type LogOutputChannel } from 'vscode';
import { Failure, type Devenv } from './devenv.ts';
import { logLines, progressText } from './event-text.ts';
import type { State } from './state.ts';

/** Commands that take their time: a notification with the step's name that can be cancelled, and every event in the log. */
export class Work {
  readonly #devenv: Devenv;
  readonly #state: State;
  readonly #log: LogOutputChannel;
  #busy = false;

  constructor(devenv: Devenv, state: State, log: LogOutputChannel) {
    this.#devenv = devenv;
    this.#state = state;
    this.#log = log;
  }

  /** @throws Failure; CANCELLED when the user did not want to wait, BUSY while something else is being done */
  async run<T>(title: string, args: readonly string[], folder: string): Promise<T> {
    if (this.#busy)
      throw new Failure('BUSY', `devenv is at work in this window: ${this.#state.work}`, { hint: 'Wait for it, or cancel it.' });
    this.#busy = true;
    this.#log.info(`devenv ${args.join(' ')} · ${folder}`);
    this.#state.setWork(title);
    try {
      const options = { location: ProgressLocation.Notification, title, cancellable: true };
      return await window.withProgress(options, async (progress, token) => {
        const stop = new AbortController();
        token.onCancellationRequested(() => {
          progress.report({ message: 'stopping…' });
          stop.abort();
        });
        return await this.#devenv.call<T>(args, {
          folder,
          signal: stop.signal,
          onEvent: (event) => {
            for (const { level, text } of logLines(event)) this.#log[level](text);
            const message = progressText(event);
            if (message === undefined || stop.signal.aborted) return;
            progress.report({ message });
            this.#state.setWork(message);
          },
        });
      });
    } finally {
      this.#busy = false;
      // What was known before is not true any more. Nobody waits for that: a window may have to go on to another container.
      void this.#state.refresh().finally(() => this.#busy || this.#state.setWork(undefined));
    }
  }
}
