import { UserError } from '../base/errors.ts';
import type { Report } from '../base/events.ts';
import type { Builder } from '../engine/engine.ts';
import type { Platform } from '../oci/platform.ts';
import type { OutgoingStep } from '../registry/step-repository.ts';
import type { StepRecord } from '../store/layer-store.ts';
import type { StepSource } from './step-source.ts';

export interface PublisherTools {
  readonly builder: Pick<Builder, 'open'>;
  readonly platform: Platform;
  readonly report: Report;
}

/** Sends steps to a cache while the build goes on, one after the other: each on a parent that is there already. */
export class StepPublisher {
  readonly #target: StepSource;
  readonly #tools: PublisherTools;
  readonly #waiting: StepRecord[] = [];
  readonly #task: { readonly type: 'task'; readonly id: string; readonly kind: 'image'; readonly title: string };
  #working: Promise<void> | undefined;
  #ended = false;
  #isTold = false;
  published = 0;
  sentBytes = 0;

  constructor(target: StepSource, tools: PublisherTools) {
    this.#target = target;
    this.#tools = tools;
    this.#task = { type: 'task', id: `cache ${target.name}`, kind: 'image', title: `steps to ${target.name}` };
  }

  /** In the order of the plan. */
  add(record: StepRecord): void {
    this.#waiting.push(record);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
    this.#working.catch(() => {}); // told by `finish`
  }

  /** Waits, with progress, until all is there or the cache is lost. */
  async finish(): Promise<void> {
    if (!this.#working) return;
    const started = performance.now();
    this.#isTold = true;
    this.#tools.report({ ...this.#task, state: 'started' });
    try {
      await this.#working;
    } finally {
      const state = this.#target.isLost ? 'failed' : 'done';
      this.#tools.report({ ...this.#task, state, seconds: (performance.now() - started) / 1000 });
    }
  }

  /** The build has failed: nobody waits for the rest. */
  end(): void {
    this.#ended = true;
  }

  async #work(): Promise<void> {
    for (let record = this.#waiting.shift(); record && !this.#ended && !this.#target.isLost; record = this.#waiting.shift())
      await this.#publish(record);
  }

  async #publish(record: StepRecord): Promise<void> {
    const known = await this.#target.find(record.key);
    if (this.#target.isLost) return;
    const step = await this.#stepOf(record);
    // Made on another tree it would be of no use to who has what is above it from here.
    if (!step || (known && known.layer.diffId === step.layer.diffId && known.below === step.below)) return;
    const onBytes = (count: number): void => {
      this.sentBytes += count;
      if (this.#isTold) this.#tools.report({ type: 'transfer', id: this.#task.id, bytes: this.sentBytes });
    };
    if (await this.#target.publish(step, { onBytes })) this.published++;
  }

  /** Undefined for a layer that cannot be written out; that is told. */
  async #stepOf({ parts, seconds, layer: id, step }: StepRecord): Promise<OutgoingStep | undefined> {
    const { builder, platform, report } = this.#tools;
    try {
      const { layer, parent } = await builder.open(id);
      const below = parent === undefined ? undefined : (await builder.open(parent)).chainId;
      return { parts, seconds, below, layer, platform };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      report({
        type: 'notice',
        level: 'warning',
        message: `The step "${step.name}" is not sent to ${this.#target.name}: ${error.message}`,
      });
      return undefined;
    }
  }
}
