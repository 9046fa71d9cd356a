import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import type { Event } from '../base/events.ts';
import { sha256 } from '../base/canonical-json.ts';
import { chainIdOf } from '../oci/chain-id.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import { hostPlatform } from '../oci/platform.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { RemoteStep, StepRepository } from '../registry/step-repository.ts';
import type { LayerId } from '../store/layer-store.ts';
import { RemoteCache } from './remote-cache.ts';
import { StepSource } from './step-source.ts';
import { TransferRates } from './transfer-rates.ts';

let folder: string;
let events: Event[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-cache-'));
  events = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

const digest = (name: string): Digest => sha256Digest(sha256(name));
const key = (name: string): StepKey => sha256(`key ${name}`) as StepKey;
const megabyte = 1e6;

/** Layers by name, each made on the one before; a layer's id here is its chain. */
function steps(below: string | undefined, ...named: readonly [name: string, run: number, size: number][]): RemoteStep[] {
  let chain = below === undefined ? undefined : digest(below);
  return named.map(([name, seconds, size]) => {
    const step = { key: key(name), seconds, below: chain, layer: { diffId: digest(name), size } as RemoteStep['layer'] };
    chain = chainIdOf(chain, digest(name));
    return step;
  });
}

interface Trial {
  readonly asked: string[];
  readonly cache: RemoteCache;
  readonly source: StepSource;
  /** Names of the steps that were fetched, one after the other, on what was fetched or on nothing. */
  readonly fetchAll: (parent?: string) => Promise<readonly string[]>;
}

function trial(
  have: readonly RemoteStep[],
  wanted: readonly string[],
  answers: Partial<StepRepository> = {},
  add?: () => Promise<void>,
): Trial {
  const asked: string[] = [];
  const nameOf = (wantedKey: StepKey): string => wanted.find((name) => key(name) === wantedKey)!;
  const repository: StepRepository = {
    name: 'r.example/cache',
    host: 'r.example',
    find: async (wantedKey) => (asked.push(nameOf(wantedKey)), have.find((step) => step.key === wantedKey)),
    publish: async () => {},
    ...answers,
  };
  const source = new StepSource(repository.name, async () => repository, hostPlatform(), {
    report: (event) => events.push(event),
    signal: new AbortController().signal,
    patience: { answer: 100, silence: 100 },
  });
  const builder = { open: async (id: LayerId) => ({ chainId: id as unknown as Digest, layer: undefined as never, parent: undefined }) };
  const planned = wanted.map((name) => ({ key: key(name), parts: undefined as never }));
  const cache = new RemoteCache([source], planned, { builder, rates: new TransferRates(join(folder, 'rates.json')) });
  return {
    asked,
    cache,
    source,
    async fetchAll(parent) {
      const fetched: string[] = [];
      let layer = parent === undefined ? undefined : (digest(parent) as unknown as LayerId);
      for (const name of wanted) {
        const session = {
          async add(added: { diffId: Digest }, on: LayerId | undefined, options: { onBytes?: (count: number) => void }) {
            await add?.();
            options.onBytes?.(1);
            return chainIdOf(on as unknown as Digest, added.diffId) as unknown as LayerId;
          },
        };
        const found = await cache.fetch(key(name), layer, session, { onStart: () => {}, onBytes: () => {} });
        if (found) fetched.push(name);
        layer = found?.layer ?? (digest(`run ${name}`) as unknown as LayerId);
      }
      return fetched;
    },
  };
}

test('steps are asked for as long as somebody has them, and fetched as far as that is cheaper', async () => {
  const have = steps(undefined, ['base', 20, megabyte], ['tools', 60, megabyte], ['large', 1, 500 * megabyte]);
  const { cache, asked, fetchAll } = trial(have, ['base', 'tools', 'large', 'new', 'newer']);
  await cache.ask();
  expect(asked).toEqual(expect.arrayContaining(['base', 'tools', 'large', 'new']));
  expect(await fetchAll()).toEqual(['base', 'tools']);
  expect(cache.bill).toMatchObject({ fetched: 2, savedSeconds: 80, receivedBytes: 2 });
});

test('nobody is asked for what stands on what they do not have', async () => {
  const { cache, asked } = trial([], ['one', 'two', 'three']);
  await cache.ask();
  expect(asked).toEqual(['one']);
});

test('a layer that was made on another tree is not taken, nor what stands on it', async () => {
  const have = steps('their base', ['one', 60, megabyte], ['two', 60, megabyte]);
  for (const [base, fetched] of [
    ['our base', []],
    ['their base', ['one', 'two']],
  ] as const) {
    const { cache, fetchAll } = trial(have, ['one', 'two']);
    await cache.ask();
    expect(await fetchAll(base)).toEqual(fetched);
  }
});

test('layers that are here give way to those of others where that pays', async () => {
  const have = steps(undefined, ['base', 20, 100 * megabyte], ['one', 60, megabyte]); // 5.1 and 0.15 s to fetch
  const { cache } = trial(have, ['base', 'one', 'two']);
  await cache.ask();
  const ours = digest('our base') as unknown as LayerId;
  expect([await cache.fits(key('one'), ours), await cache.fits(key('base'), undefined)]).toEqual([false, true]);
  expect(await cache.isWorth(key('base'), undefined, 1)).toBe(true);
  expect(await cache.isWorth(key('base'), undefined, 2)).toBe(false); // both are here
  const dear = trial(steps(undefined, ['base', 20, 100 * megabyte], ['one', 3, megabyte]), ['base', 'one']).cache;
  await dear.ask();
  expect(await dear.isWorth(key('base'), undefined, 1)).toBe(false);
});

test.each([
  ['refuses', async () => Promise.reject(new UserError('REGISTRY_UNREACHABLE', 'It refuses connections.')), /refuses connections/],
  ['wants a password', async () => Promise.reject(new UserError('REGISTRY_DENIED', 'It does not let us read.')), /does not let us read/],
  ['hangs', async () => new Promise<never>(() => {}), /did not answer within 0\.1 s/],
])('a cache that %s is left out with one notice, and asked no more', async (_trouble, find, notice) => {
  let count = 0;
  const counted = (): Promise<never> => (count++, find());
  const { cache, source, fetchAll } = trial([], ['one', 'two', 'three'], { find: counted });
  await cache.ask();
  expect(await fetchAll()).toEqual([]);
  expect(events).toEqual([{ type: 'notice', level: 'warning', message: expect.stringMatching(notice) as string }]);
  expect([await source.find(key('two')), count]).toEqual([undefined, 1]);
});

test('a layer that does not come is run instead, and the cache is left out for the rest', async () => {
  const have = steps(undefined, ['one', 60, megabyte], ['two', 60, megabyte]);
  for (const [add, notice] of [
    [() => Promise.reject(new UserError('DIGEST_MISMATCH', 'It is not what was asked for.')), /not what was asked for/],
    [() => delay(1000).then(() => Promise.reject(new Error('too late'))), /was silent for 0\.1 s/],
  ] as const) {
    events = [];
    const { cache, fetchAll } = trial(have, ['one', 'two'], {}, add);
    await cache.ask();
    expect(await fetchAll()).toEqual([]);
    expect(events).toMatchObject([{ level: 'warning', message: expect.stringMatching(notice) as string }]);
    expect(cache.bill).toMatchObject({ fetched: 0, savedSeconds: 0 });
  }
});

test('the rate of a registry is measured by what is large enough to tell, and known to the next build', () => {
  const path = join(folder, 'rates.json');
  const rates = new TransferRates(path);
  const before = rates.estimate('r.example', 100 * megabyte);
  rates.measured('r.example', 1000, 10); // says nothing
  expect(rates.estimate('r.example', 100 * megabyte)).toBe(before);
  rates.measured('r.example', 10 * megabyte, 10);
  expect(new TransferRates(path).estimate('r.example', 100 * megabyte)).toBeCloseTo(100.1);
  rates.measured('r.example', 30 * megabyte, 10);
  expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual({ 'r.example': 2 * megabyte });
});
