import { expect, test } from 'vitest';
import { cheapestBeginning } from './cheapest-beginning.ts';

test.each([
  ['nothing is fetched when there is nothing', [], 0],
  ['what is fetched faster than run is fetched', [{ fetch: 1, run: 60 }], 1],
  ['what is run faster than fetched is run', [{ fetch: 30, run: 1 }], 0],
  [
    'a step that is cheap to run is fetched, too, when one after it is dear',
    [
      { fetch: 2, run: 1 },
      { fetch: 1, run: 60 },
    ],
    2,
  ],
  [
    'a large base is fetched for what stands on it',
    [
      { fetch: 30, run: 20 },
      { fetch: 5, run: 10 },
      { fetch: 5, run: 100 },
    ],
    3,
  ],
  [
    'and what follows is run where that is cheaper',
    [
      { fetch: 1, run: 20 },
      { fetch: 50, run: 10 },
      { fetch: 50, run: 30 },
    ],
    1,
  ],
])('%s', (_law, steps, count) => {
  expect(cheapestBeginning(steps)).toBe(count);
});
