/** One who does a piece of work: ours comes first in its subject, peers after it. */
export interface Contestant {
  readonly name: string;
  /** Why it does not take part. */
  readonly absent?: string | undefined;
  /** Puts everything back to where the work starts; not measured. */
  readonly prepare?: (round: number) => Promise<unknown>;
  /** Does the work and returns its cost in the subject's unit. */
  readonly run: (round: number) => Promise<number>;
}

/** One thing that is measured. Disposed: nothing of it is left. */
export interface Subject extends AsyncDisposable {
  readonly title: string;
  readonly unit: 'ms' | 'MB';
  readonly contestants: readonly Contestant[];
  /** The ratio to reach, ours ÷ peer, by the peer's name. */
  readonly goals: Readonly<Record<string, number>>;
  /** Fewer rounds for what takes long. */
  readonly maximumRounds?: number;
}

export interface Measurement {
  readonly title: string;
  readonly unit: 'ms' | 'MB';
  readonly rows: readonly {
    readonly name: string;
    readonly absent?: string | undefined;
    readonly median?: number;
    readonly minimum?: number;
    readonly maximum?: number;
    /** Ours ÷ this one's, of the medians. */
    readonly ratio?: number;
    readonly goal?: number | undefined;
    readonly samples?: readonly number[];
  }[];
}

/**
 * Every round runs every contestant once, each round in another order, so that what else happens on the machine meets all of them.
 * A first round that warms caches does not count. One that fails is reported as absent; the others go on.
 */
export async function measure(subject: Subject, rounds: number, tell: (line: string) => void, signal: AbortSignal): Promise<Measurement> {
  const { title, unit, contestants } = subject;
  const absent = new Map(contestants.flatMap(({ name, absent: why }) => (why === undefined ? [] : [[name, why] as const])));
  const samples = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  const count = Math.min(rounds, subject.maximumRounds ?? rounds);
  for (let round = 0; round <= count; round++) {
    for (const index of contestants.keys()) {
      const { name, prepare, run } = contestants[(index + round) % contestants.length]!;
      signal.throwIfAborted();
      if (absent.has(name)) continue;
      try {
        await prepare?.(round);
        const value = await run(round);
        if (round > 0) samples.get(name)!.push(value);
      } catch (error) {
        absent.set(name, `failed: ${(error as Error).message.split('\n').slice(0, 3).join(' · ')}`);
        tell(`${title}: ${name}: ${(error as Error).message}`);
      }
    }
  }
  const ours = median(samples.get(contestants[0]!.name)!);
  const rows = contestants.map(({ name }) => {
    const values = samples.get(name)!;
    const why = absent.get(name);
    if (why !== undefined || values.length === 0) return { name, absent: why ?? 'not measured' };
    const middle = median(values);
    const range = { median: middle, minimum: Math.min(...values), maximum: Math.max(...values), samples: values };
    if (name === contestants[0]!.name || Number.isNaN(ours)) return { name, ...range };
    return { name, ...range, ratio: ours / middle, goal: subject.goals[name] };
  });
  return { title, unit, rows };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}
