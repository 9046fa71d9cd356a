import { expect, test } from 'vitest';
import { sha256 } from '../base/canonical-json.ts';
import { UserError } from '../base/errors.ts';
import type { Event } from '../base/events.ts';
import type { TravellingLayer } from '../engine/engine.ts';
import { sha256Digest } from '../oci/digest.ts';
import { hostPlatform } from '../oci/platform.ts';
import type { StepKey } from '../oci/step-key.ts';
import type { OutgoingStep, RemoteStep } from '../registry/step-repository.ts';
import type { LayerId, StepRecord } from '../store/layer-store.ts';
import { StepPublisher } from './publish-steps.ts';
import { StepSource } from './step-source.ts';

const digest = (name: string): ReturnType<typeof sha256Digest> => sha256Digest(sha256(name));
const record = (name: string): StepRecord => ({
  key: name as StepKey,
  parts: { parent: name } as unknown as StepRecord['parts'],
  layer: name as LayerId,
  step: { project: 'shop', name },
  seconds: 1,
  createdAt: '2026-01-01T00:00:00.000Z',
});
/** Layers `1`, `2`, … each on the one before; the chain of each is that of its name. */
async function open(id: LayerId): Promise<TravellingLayer> {
  if (id === '3') throw new UserError('NOT_SUPPORTED', 'It was unpacked by an older devenv.');
  const parent = id === '1' ? undefined : (String(Number(id) - 1) as LayerId);
  return { layer: { diffId: digest(id), size: 10 } as TravellingLayer['layer'], chainId: digest(`chain ${id}`), parent };
}

async function publish(
  names: readonly string[],
  have: Readonly<Record<string, Partial<RemoteStep>>>,
  trouble?: UserError,
): Promise<{ readonly sent: readonly string[]; readonly events: readonly Event[]; readonly publisher: StepPublisher }> {
  const events: Event[] = [];
  const sent: string[] = [];
  const report = (event: Event): void => void events.push(event);
  const target = new StepSource(
    'r.example/cache',
    async () => ({
      name: 'r.example/cache',
      host: 'r.example',
      find: async (key) => have[key] as RemoteStep | undefined,
      async publish({ parts, below }: OutgoingStep, options) {
        if (trouble) throw trouble;
        options?.onBytes?.(5);
        sent.push(`${parts.parent} on ${below?.slice(7, 12)}`);
      },
    }),
    hostPlatform(),
    { report, signal: new AbortController().signal },
  );
  const publisher = new StepPublisher(target, { builder: { open }, platform: hostPlatform(), report });
  for (const name of names) publisher.add(record(name));
  await publisher.finish();
  return { sent, events, publisher };
}

test('what the cache lacks is sent, and what it has of another tree, each after what it stands on', async () => {
  const { sent, publisher, events } = await publish(['1', '2', '4'], {
    '1': { layer: { diffId: digest('1'), size: 1 } as RemoteStep['layer'], below: undefined },
    '2': { layer: { diffId: digest('2'), size: 1 } as RemoteStep['layer'], below: digest('of others') },
  });
  expect(sent).toEqual([`2 on ${digest('chain 1').slice(7, 12)}`]);
  expect([publisher.published, publisher.sentBytes]).toEqual([1, 5]);
  // What stands on a layer of which nobody knows what it is elsewhere.
  expect(events.filter(({ type }) => type === 'notice')).toEqual([
    {
      type: 'notice',
      level: 'warning',
      message: 'The step "4" is not sent to r.example/cache: It was unpacked by an older devenv.',
    },
  ]);
});

test('a cache that takes nothing is left out with one warning; the build goes on', async () => {
  const { sent, publisher, events } = await publish(['1', '2'], {}, new UserError('REGISTRY_DENIED', 'It does not let us write.'));
  expect([sent, publisher.published]).toEqual([[], 0]);
  expect(events.filter(({ type }) => type === 'notice')).toMatchObject([
    { level: 'warning', message: expect.stringMatching(/let us write/) as string },
  ]);
  expect(events.at(-1)).toMatchObject({ type: 'task', state: 'failed' });
});
