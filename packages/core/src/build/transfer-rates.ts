import { readJson, writeFileAtomically } from '../base/files.ts';

/** Of a registry that nothing is known of, bytes a second: so much that the first layer is tried, and measured. */
const unknownRate = 20e6;
/** Seconds until the first byte. */
const latency = 0.1;
/** Smaller ones tell of the latency, not of the rate. */
const smallest = 1024 * 1024;

/** How fast layers came from each registry and were unpacked. Losing it costs time, never correctness. */
export class TransferRates {
  readonly #path: string;
  readonly #rates: Record<string, number>;

  /** `path`: a file of bytes per second by host. */
  constructor(path: string) {
    this.#path = path;
    const kept = Object.entries(readJson<object>(path) ?? {});
    this.#rates = Object.fromEntries(kept.filter(([, rate]) => typeof rate === 'number' && Number.isFinite(rate) && rate > 0));
  }

  /** Seconds. */
  estimate(host: string, bytes: number): number {
    return latency + bytes / (this.#rates[host] ?? unknownRate);
  }

  /** A transfer took so long: the last ones count most. */
  measured(host: string, bytes: number, seconds: number): void {
    if (bytes < smallest || seconds <= 0) return;
    const rate = bytes / seconds;
    const known = this.#rates[host];
    this.#rates[host] = known === undefined ? rate : (known + rate) / 2;
    try {
      writeFileAtomically(this.#path, JSON.stringify(this.#rates));
    } catch {
      // to remember it is not worth failing
    }
  }
}
