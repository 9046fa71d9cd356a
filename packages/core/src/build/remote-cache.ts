import { UserError } from '../base/errors.ts';
import type { Build, Builder } from '../engine/engine.ts';
import { chainIdOf } from '../oci/chain-id.ts';
import type { Digest } from '../oci/digest.ts';
import type { KeyParts, StepKey } from '../oci/step-key.ts';
import type { RemoteStep } from '../registry/step-repository.ts';
import type { LayerId } from '../store/layer-store.ts';
import { cheapestBeginning, type Costs } from './cheapest-beginning.ts';
import type { StepSource } from './step-source.ts';
import type { TransferRates } from './transfer-rates.ts';

/** What a cache that travels brought, and what it took. */
export interface CacheBill {
  /** Steps that were fetched instead of run. */
  readonly fetched: number;
  readonly receivedBytes: number;
  /** What running them took where they ran. */
  readonly savedSeconds: number;
  /** What asking, fetching and waiting for the end of sending took. */
  readonly spentSeconds: number;
  readonly published: number;
  readonly sentBytes: number;
}

/** A step that has a layer, in its place among those of the plan. */
export interface LayeredStep {
  readonly key: StepKey;
  readonly parts: KeyParts;
}

interface Offer extends RemoteStep {
  readonly source: StepSource;
}

export interface FetchListener {
  onStart(from: string): void;
  onBytes(bytes: number, total: number): void;
}

export interface RemoteCacheTools {
  readonly builder: Pick<Builder, 'open'>;
  readonly rates: TransferRates;
}

const parallel = 8;
/** A fetch that takes longer than this is given up when running the step takes a third of it, s. */
const leastPatience = 30;

/** The steps of a plan that others made, and when it is better to fetch one than to run it. */
export class RemoteCache {
  readonly #sources: readonly StepSource[];
  readonly #steps: readonly LayeredStep[];
  readonly #tools: RemoteCacheTools;
  readonly #offers = new Map<StepKey, readonly Offer[]>();
  /** To be fetched, one after the other, while each stands on the one that was fetched before. */
  readonly #chosen = new Map<StepKey, Offer>();
  #top: LayerId | undefined;
  #fetched = 0;
  #received = 0;
  #saved = 0;
  #spent = 0;

  /** `steps`: those that have no layer here, in order. */
  constructor(sources: readonly StepSource[], steps: readonly LayeredStep[], tools: RemoteCacheTools) {
    this.#sources = sources;
    this.#steps = steps;
    this.#tools = tools;
  }

  get bill(): Omit<CacheBill, 'published' | 'sentBytes'> {
    return { fetched: this.#fetched, receivedBytes: this.#received, savedSeconds: this.#saved, spentSeconds: this.#spent };
  }

  /** Whether somebody says to have it, on whatever tree. */
  has(key: StepKey): boolean {
    return this.#offers.has(key);
  }

  /** Asks for the steps in order, as long as there is one that has the step: nobody has one whose parent nobody has. */
  async ask(): Promise<void> {
    const started = performance.now();
    let next = 0;
    let end = this.#steps.length;
    const worker = async (): Promise<void> => {
      while (next < end) {
        const index = next++;
        const { key } = this.#steps[index]!;
        const found = await Promise.all(this.#sources.map(async (source) => ({ source, step: await source.find(key) })));
        const offers = found.flatMap(({ source, step }) => (step ? [{ ...step, source }] : []));
        if (offers.length > 0) this.#offers.set(key, offers);
        else end = Math.min(end, index);
      }
    };
    // One alone first: it finds out whether anybody is there, and who is asked for a password is asked once.
    if (this.#steps.length > 0) {
      const all = end;
      end = Math.min(1, all);
      await worker();
      if (this.#offers.size > 0) end = all;
    }
    await Promise.all(Array.from({ length: parallel }, worker));
    this.#spent += seconds(started);
  }

  /** The layer of a step on `parent`, from whom it is cheaper to have it than to run the step; undefined: run it. */
  async fetch(
    key: StepKey,
    parent: LayerId | undefined,
    session: Pick<Build, 'add'>,
    listener: FetchListener,
  ): Promise<{ readonly layer: LayerId; readonly seconds: number; readonly from: StepSource } | undefined> {
    // Another source may have the step, too, when the first does not give it.
    for (;;) {
      const chosen = parent === this.#top ? this.#chosen.get(key) : undefined;
      const offer = chosen && !chosen.source.isLost ? chosen : await this.#choose(key, parent);
      if (!offer) return undefined;
      const layer = await this.#get(offer, parent, session, listener);
      if (layer === undefined) continue;
      this.#top = layer;
      return { layer, seconds: offer.seconds, from: offer.source };
    }
  }

  /** Undefined when it did not come: then its source is lost. */
  async #get(
    offer: Offer,
    parent: LayerId | undefined,
    session: Pick<Build, 'add'>,
    listener: FetchListener,
  ): Promise<LayerId | undefined> {
    const started = performance.now();
    let bytes = 0;
    listener.onStart(offer.source.name);
    const layer = await offer.source.attempt<LayerId | undefined>(
      (alive, signal) =>
        session.add(offer.layer, parent, {
          signal,
          onBytes(count) {
            alive();
            bytes += count;
            listener.onBytes(bytes, offer.layer.size);
          },
        }),
      undefined,
      Math.max(leastPatience, 3 * offer.seconds) * 1000,
    );
    this.#received += bytes;
    this.#spent += seconds(started);
    if (layer === undefined) return undefined;
    this.#tools.rates.measured(await offer.source.host(), bytes, seconds(started));
    this.#fetched++;
    this.#saved += offer.seconds;
    return layer;
  }

  /** Whether somebody made the step on what `parent` is. */
  async fits(key: StepKey, parent: LayerId | undefined): Promise<boolean> {
    return this.#chainFrom(key, await this.#chainOf(parent)).length > 0;
  }

  /** Whether it pays to fetch the step and those after it on `parent`, when the layers of the first `here` of them are here already. */
  async isWorth(key: StepKey, parent: LayerId | undefined, here: number): Promise<boolean> {
    const chain = this.#chainFrom(key, await this.#chainOf(parent));
    let gain = 0;
    for (const [index, { fetch, run }] of (await this.#costsOf(chain)).entries()) {
      gain += (index < here ? 0 : run) - fetch;
      if (index >= here && gain > 0) return true;
    }
    return false;
  }

  /** A change set means something on the tree that it was made on, and on no other. */
  async #choose(key: StepKey, parent: LayerId | undefined): Promise<Offer | undefined> {
    this.#chosen.clear();
    if (!this.#offers.has(key)) return undefined;
    const chain = this.#chainFrom(key, await this.#chainOf(parent));
    for (const offer of chain.slice(0, cheapestBeginning(await this.#costsOf(chain)))) this.#chosen.set(offer.key, offer);
    return this.#chosen.get(key);
  }

  /** Null: nobody knows what it is on other machines, since an older devenv unpacked it. */
  async #chainOf(layer: LayerId | undefined): Promise<Digest | undefined | null> {
    if (layer === undefined) return undefined;
    try {
      return (await this.#tools.builder.open(layer)).chainId;
    } catch (error) {
      if (error instanceof UserError) return null;
      throw error;
    }
  }

  async #costsOf(chain: readonly Offer[]): Promise<readonly Costs[]> {
    const { rates } = this.#tools;
    return Promise.all(
      chain.map(async ({ source, layer, seconds: run }) => ({ run, fetch: rates.estimate(await source.host(), layer.size) })),
    );
  }

  /** Offers of the step and those after it, each made on the one before. */
  #chainFrom(key: StepKey, below: Digest | undefined | null): readonly Offer[] {
    const chain: Offer[] = [];
    if (below === null) return chain;
    let under = below;
    for (const step of this.#steps.slice(this.#steps.findIndex((candidate) => candidate.key === key))) {
      const offer = this.#offers.get(step.key)?.find((candidate) => candidate.below === under && !candidate.source.isLost);
      if (!offer) break;
      chain.push(offer);
      under = chainIdOf(under, offer.layer.diffId);
    }
    return chain;
  }
}

function seconds(since: number): number {
  return (performance.now() - since) / 1000;
}
