import type { LogOutputChannel } from 'vscode';
import { Failure, type Devenv } from './devenv.ts';

/** What `devenv doctor` says is missing, and how to get it: in the log, since terminals of a window that is inside do not have devenv. */
export async function diagnose(devenv: Devenv, log: LogOutputChannel): Promise<void> {
  log.show(true);
  try {
    await devenv.follow(['doctor'], (line) => log.info(line), new AbortController().signal);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    log.error(error.message);
  }
}
