import { describe, expect, test } from 'vitest';
import type { StepKey } from '../oci/step-key.ts';
import { chooseGarbage } from './choose-garbage.ts';
import type { LayerId, StepRecord } from './layer-store.ts';
import type { StoreContents } from './store-contents.ts';

const day = 86_400_000;
const now = 1000 * day;

interface Made {
  readonly on?: string;
  readonly mb?: number;
  /** Undefined: no step made it. */
  readonly seconds?: number;
  readonly usedDaysAgo?: number;
}

describe('of layers that nothing needs', () => {
  test('all go, children before their parents', () => {
    expect(chosen({ base: {}, deps: { on: 'base' }, test: { on: 'deps' } }, [])).toEqual(['test', 'deps', 'base']);
  });

  test('what is needed stays, with all that it stands on', () => {
    const store = { base: {}, deps: { on: 'base' }, other: { on: 'base' }, test: { on: 'deps' } };
    expect(chosen(store, ['deps'])).toEqual(['other', 'test']);
  });

  test('what was used lately stays with what it stands on, when that is asked for', () => {
    const store = { base: { usedDaysAgo: 90 }, old: { on: 'base', usedDaysAgo: 40 }, late: { on: 'base', usedDaysAgo: 2 } };
    expect(chosen(store, [], { unusedSince: now - 30 * day })).toEqual(['old']);
  });
});

describe('with a budget', () => {
  test('nothing goes while all fits, and no more than has to', () => {
    const store = { a: { mb: 10, seconds: 1 }, b: { mb: 10, seconds: 2 }, c: { mb: 10, seconds: 3 } };
    expect(chosen(store, [], { maximumBytes: 30e6 })).toEqual([]);
    expect(chosen(store, [], { maximumBytes: 25e6 })).toEqual(['a']);
  });

  test('what saves the fewest seconds for its space goes first', () => {
    const store = { compiled: { mb: 10, seconds: 600 }, copied: { mb: 500, seconds: 5 }, small: { mb: 1, seconds: 30 } };
    expect(chosen(store, [], { maximumBytes: 0 })).toEqual(['copied', 'small', 'compiled']);
  });

  test('of two that cost the same, the one that was not used for longer goes first', () => {
    const store = { stale: { mb: 10, seconds: 10, usedDaysAgo: 60 }, fresh: { mb: 10, seconds: 10, usedDaysAgo: 1 } };
    expect(chosen(store, [], { maximumBytes: 10e6 })).toEqual(['stale']);
  });

  test('the seconds of a pulled image are those of all its layers', () => {
    const store = {
      below: { mb: 90 },
      image: { on: 'below', mb: 10, seconds: 100 },
      cheap: { mb: 10, seconds: 5 },
    };
    expect(chosen(store, [], { maximumBytes: 0 })).toEqual(['cheap', 'image', 'below']);
  });

  test('what is needed stays also where the budget is smaller', () => {
    expect(chosen({ base: { mb: 100 }, other: { mb: 1 } }, ['base'], { maximumBytes: 0 })).toEqual(['other']);
  });
});

function chosen(made: Readonly<Record<string, Made>>, needed: readonly string[], policy: object = {}): readonly string[] {
  const layers = new Map(
    Object.entries(made).map(([name, { on, mb = 1 }]) => {
      const info = {
        id: name as LayerId,
        parent: on as LayerId | undefined,
        diffId: undefined,
        chainId: undefined,
        entries: 1,
        bytes: mb * 1e6,
      };
      return [name as LayerId, { info, madeAt: now - 365 * day }] as const;
    }),
  );
  const steps = Object.entries(made)
    .filter(([, { seconds, usedDaysAgo }]) => seconds !== undefined || usedDaysAgo !== undefined)
    .map(([name, { seconds = 1, usedDaysAgo = 0 }]) => ({
      record: { key: name as StepKey, layer: name as LayerId, seconds } as StepRecord,
      usedAt: now - usedDaysAgo * day,
    }));
  const contents: StoreContents = { layers, steps, chains: new Map() };
  return chooseGarbage(contents, needed as LayerId[], { now, ...policy });
}
