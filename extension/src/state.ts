import { commands, EventEmitter, type Disposable, type Event, type Memento } from 'vscode';
import type { Status } from '@devenv/core';
import { Failure, type Devenv } from './devenv.ts';
import { findPlace, hostFolder, type Place } from './place.ts';

/** What is known of this window's environment. Everything that shows it listens here. */
export class State implements Disposable {
  readonly #devenv: Devenv;
  readonly #memory: Memento;
  readonly #changed = new EventEmitter<void>();
  /** Told after each look, and whenever work begins, goes on or ends. */
  readonly onDidChange: Event<void> = this.#changed.event;
  place: Place | undefined;
  hasFile = false;
  /** On the host. */
  folder: string | undefined;
  status: Status | undefined;
  /** Why there is no status. */
  failure: Failure | undefined;
  /** What is being done now. */
  work: string | undefined;
  #looking: Promise<void> | undefined;
  #again = false;

  constructor(devenv: Devenv, memory: Memento) {
    this.#devenv = devenv;
    this.#memory = memory;
  }

  get inside(): boolean {
    return this.place?.environmentId !== undefined;
  }

  /** Looks again. Calls during a look lead to one more, not to many. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#looking ??= this.#lookWhileAsked().finally(() => (this.#looking = undefined));
    return this.#looking;
  }

  setWork(work: string | undefined): void {
    this.work = work;
    this.#tell();
  }

  dispose(): void {
    this.#changed.dispose();
  }

  async #lookWhileAsked(): Promise<void> {
    while (this.#again) {
      this.#again = false;
      await this.#look();
    }
    this.#tell();
  }

  async #look(): Promise<void> {
    const found = await findPlace();
    [this.place, this.hasFile] = [found?.place, found?.hasFile ?? false];
    if (!found || (!found.hasFile && !this.inside)) {
      [this.status, this.failure, this.folder] = [undefined, undefined, found?.place.uri.path];
      return;
    }
    try {
      this.folder ??= await hostFolder(found.place, this.#devenv, this.#memory);
      this.status = await this.#devenv.call<Status>(['status'], { folder: this.folder });
      this.failure = undefined;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      if (error.code === 'CONFIG_NOT_FOUND' && !this.inside) {
        // It has just gone, or a busy machine was slow to say that it is not there.
        [this.hasFile, this.status, this.failure] = [false, undefined, undefined];
        return;
      }
      // What is known of the environment stays: a mistake in the file does not stop it.
      this.failure = error;
    }
  }

  #tell(): void {
    const context = {
      hasFile: this.hasFile,
      inside: this.inside,
      busy: this.work !== undefined,
      state: this.status?.state,
      stale: this.status?.stale ?? false,
    };
    for (const [name, value] of Object.entries(context)) void commands.executeCommand('setContext', `devenv.${name}`, value);
    this.#changed.fire();
  }
}
