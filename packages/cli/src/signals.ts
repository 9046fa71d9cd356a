import { signalExitCode } from './exit-code.ts';

export interface SignalWatch extends Disposable {
  readonly signal: AbortSignal;
  /** The signal that asked us to stop. */
  readonly received: NodeJS.Signals | undefined;
}

const watched: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The first signal aborts, a second one ends the process at once. */
export function watchSignals(announce: (text: string) => void): SignalWatch {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const handle = (name: NodeJS.Signals): void => {
    // While a command runs inside, core listens too and forwards: the signal is the command's, not ours.
    if (process.listenerCount(name) > 1) return;
    if (received) process.exit(signalExitCode(name));
    received = name;
    announce(name === 'SIGINT' ? 'Stopping… press Ctrl-C again to stop at once' : 'Stopping…');
    controller.abort();
  };
  for (const name of watched) process.on(name, handle);
  return {
    signal: controller.signal,
    get received() {
      return received;
    },
    [Symbol.dispose]() {
      for (const name of watched) process.off(name, handle);
    },
  };
}
