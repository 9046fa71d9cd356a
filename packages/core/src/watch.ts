import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { watch as watchPaths } from 'chokidar';
import type { BuildOptions, UpOptions, UpResult } from './contract.ts';
import { UserError } from './base/errors.ts';
import { configOrThrow } from './enter.ts';
import { survey } from './survey.ts';
import { up } from './up.ts';

/** Editors write a file in several strokes, and checkouts change many: one `up` for all that happens within this time. */
const settleMs = 200;

export interface WatchOptions extends UpOptions {
  /** Hears of each time that the environment was brought in line, or could not be: then the next change tries again. */
  readonly onResult: (result: UpResult | UserError) => void;
}

/**
 * Keeps the environment in line with its file and the inputs of its steps until the signal aborts. Each round watches first
 * and looks then: what changes before is seen by `up`, what changes after begins another round.
 */
export async function watch(options: WatchOptions): Promise<void> {
  const { noCache: _once, refresh: _too, ...always } = options;
  for (let round = 0; !options.signal.aborted; round++) {
    await using changes = await watchInputs(options);
    try {
      options.onResult(await up(round === 0 ? options : always));
    } catch (error) {
      if (!(error instanceof UserError) || options.signal.aborted) throw error;
      options.onResult(error);
    }
    await changes.next();
  }
}

interface Changes extends AsyncDisposable {
  /** Resolves when something has changed since the watch began and nothing more did for a moment, or when the signal aborts. */
  next(): Promise<void>;
}

async function watchInputs(options: BuildOptions): Promise<Changes> {
  const watcher = watchPaths(await pathsOf(options), { ignoreInitial: true, followSymlinks: false });
  let [count, wake] = [0, (): void => {}];
  watcher.on('all', () => {
    count++;
    wake();
  });
  const stop = (): void => wake();
  options.signal.addEventListener('abort', stop);
  await once(watcher, 'ready');
  return {
    async next() {
      if (count === 0 && !options.signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
      for (let before = -1; before !== count && !options.signal.aborted;) {
        before = count;
        await delay(settleMs);
      }
    },
    async [Symbol.asyncDispose]() {
      options.signal.removeEventListener('abort', stop);
      await watcher.close();
    },
  };
}

/** The files themselves, what steps read, and the folders that it is in, so that a new file is noticed too. */
async function pathsOf(options: BuildOptions): Promise<string[]> {
  const configFile = configOrThrow(options);
  const own = [configFile, join(dirname(configFile), 'devenv.local.json')];
  try {
    const { plan } = await survey(options);
    const files = plan.steps.flatMap((step) => step.files.map((file) => join(plan.container.folder, file.path)));
    const folders = files.map((file) => dirname(file)).filter((folder) => folder !== plan.container.folder);
    return [...new Set([...own, ...files, ...folders])];
  } catch (error) {
    if (error instanceof UserError) return own; // `up` tells of it
    throw error;
  }
}
