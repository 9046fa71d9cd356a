import { dirname, join } from 'node:path';
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

/** Keeps the environment in line with its file and the inputs of its steps until the signal aborts. */
export async function watch(options: WatchOptions): Promise<void> {
  const configFile = configOrThrow(options);
  const folder = dirname(configFile);
  const changed = new Changes();
  const watcher = watchPaths([configFile, join(folder, 'devenv.local.json')], { ignoreInitial: true, followSymlinks: false });
  watcher.on('all', () => changed.add());
  options.signal.addEventListener('abort', () => changed.add());
  try {
    while (!options.signal.aborted) {
      changed.clear();
      try {
        const { noCache: _once, refresh: _too, ...always } = options;
        options.onResult(await up(always));
      } catch (error) {
        if (!(error instanceof UserError) || options.signal.aborted) throw error;
        options.onResult(error);
      }
      watcher.add(await inputsOf(options));
      await changed.next(options.signal);
    }
  } finally {
    await watcher.close();
  }
}

/** The files that steps read and the folders they are in, so that a new one is noticed too. */
async function inputsOf(options: BuildOptions): Promise<string[]> {
  try {
    const { plan } = await survey(options);
    const files = plan.steps.flatMap((step) => step.files.map((file) => join(plan.container.folder, file.path)));
    return [...new Set([...files, ...files.map((file) => dirname(file)).filter((parent) => parent !== plan.container.folder)])];
  } catch (error) {
    if (error instanceof UserError) return []; // told already; the file itself is watched
    throw error;
  }
}

class Changes {
  private pending = false;
  private wake: (() => void) | undefined;

  add(): void {
    this.pending = true;
    this.wake?.();
  }

  clear(): void {
    this.pending = false;
  }

  /** Resolves when something has changed since `clear` and nothing more did for a moment. */
  async next(signal: AbortSignal): Promise<void> {
    if (!this.pending) await new Promise<void>((resolve) => (this.wake = resolve));
    while (this.pending && !signal.aborted) {
      this.pending = false;
      await new Promise((resolve) => setTimeout(resolve, settleMs));
    }
  }
}
