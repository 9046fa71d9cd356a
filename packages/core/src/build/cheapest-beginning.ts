/** Seconds that each of two ways to a step's layer takes. */
export interface Costs {
  readonly fetch: number;
  readonly run: number;
}

/**
 * How many of these steps to fetch, from the first, when the rest is run: the number that takes the least time. What is fetched is
 * always a beginning: each layer is made on the one before, and one that is run again may come out as another.
 */
export function cheapestBeginning(steps: readonly Costs[]): number {
  let seconds = steps.reduce((sum, { run }) => sum + run, 0);
  let [best, least] = [0, seconds];
  for (const [index, { fetch, run }] of steps.entries()) {
    seconds += fetch - run;
    if (seconds <= least) [best, least] = [index + 1, seconds];
  }
  return best;
}
