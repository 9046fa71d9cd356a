import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import type { Platform } from '../oci/platform.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { PublishOptions, RemoteStep, OutgoingStep, StepRepository } from '../registry/step-repository.ts';

/** How long a repository may take to say whether it has a step, and be silent while a layer travels, ms. */
export interface Patience {
  readonly answer: number;
  readonly silence: number;
}

/** A build waits for no cache that a person would call dead. */
const patience: Patience = { answer: 5_000, silence: 20_000 };

/** Opens a repository; the signal ends everything that is asked of it. */
export type OpenRepository = (name: string, signal: AbortSignal) => Promise<StepRepository>;

/**
 * A cache that helps when it can: the first trouble with it is told once, and from then on it has nothing and takes nothing.
 * Nothing throws but the abort of the build itself.
 */
export class StepSource {
  readonly name: string;
  readonly #repository: Promise<StepRepository>;
  readonly #platform: Platform;
  readonly #report: Report;
  readonly #build: AbortSignal;
  readonly #own: AbortController;
  readonly #patience: Patience;
  readonly #known: Map<StepKey, Promise<RemoteStep | undefined>>;

  constructor(
    name: string,
    open: OpenRepository,
    platform: Platform,
    options: { report: Report; signal: AbortSignal; patience?: Patience },
  ) {
    this.name = name;
    this.#platform = platform;
    this.#report = options.report;
    this.#build = options.signal;
    this.#patience = options.patience ?? patience;
    this.#own = new AbortController();
    this.#known = new Map();
    this.#repository = open(name, AbortSignal.any([this.#build, this.#own.signal]));
    this.#repository.catch(() => {}); // told by who asks first
  }

  get isLost(): boolean {
    return this.#own.signal.aborted;
  }

  /** Ends what is still asked of it. */
  close(): void {
    this.#own.abort(new UserError('REGISTRY_UNREACHABLE', 'The build is over.'));
  }

  /** Undefined when it does not have the step, or cannot be asked. Asks once. */
  find(key: StepKey): Promise<RemoteStep | undefined> {
    const known = this.#known.get(key) ?? this.#ask(key);
    this.#known.set(key, known);
    return known;
  }

  async host(): Promise<string> {
    return (await this.#repository).host;
  }

  /** Whether it has the step now. */
  async publish(step: OutgoingStep, options: Pick<PublishOptions, 'onBytes'>): Promise<boolean> {
    return await this.attempt(async (alive, signal) => {
      const onBytes = (count: number): void => {
        alive();
        options.onBytes?.(count);
      };
      await (await this.#repository).publish(step, { signal, onBytes });
      return true;
    }, false);
  }

  /**
   * Does something with it that ends when it is silent for too long, or after `deadline` ms. `otherwise` is given when that was of no
   * use; then the cache is lost.
   */
  async attempt<T>(work: (alive: () => void, signal: AbortSignal) => Promise<T>, otherwise: T, deadline?: number): Promise<T> {
    if (this.isLost) return otherwise;
    const watch = new AbortController();
    const giveUp = (why: string) => (): void => watch.abort(new UserError('REGISTRY_UNREACHABLE', why));
    const { silence } = this.#patience;
    const silent = setTimeout(giveUp(`It was silent for ${silence / 1000} s.`), silence);
    const late = deadline === undefined ? undefined : setTimeout(giveUp('It is slower than running the step.'), deadline);
    try {
      return await work(() => silent.refresh(), AbortSignal.any([this.#build, this.#own.signal, watch.signal]));
    } catch (error) {
      this.#build.throwIfAborted();
      this.#lose(watch.signal.aborted ? watch.signal.reason : error);
      return otherwise;
    } finally {
      clearTimeout(silent);
      clearTimeout(late);
    }
  }

  async #ask(key: StepKey): Promise<RemoteStep | undefined> {
    if (this.isLost) return undefined;
    const { answer } = this.#patience;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const error = new UserError('REGISTRY_UNREACHABLE', `It did not answer within ${answer / 1000} s.`);
      timer = setTimeout(() => reject(error), answer);
    });
    const asked = this.#repository.then((repository) => repository.find(key, this.#platform));
    try {
      return await Promise.race([asked, late]);
    } catch (error) {
      asked.catch(() => {}); // it was too late
      this.#build.throwIfAborted();
      this.#lose(error);
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }

  #lose(error: unknown): void {
    if (this.isLost) return;
    this.#own.abort(error);
    if (!(error instanceof UserError)) throw error;
    this.#report({
      type: 'notice',
      level: 'warning',
      message: `The cache ${this.name} is left out: ${error.message}`,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}
