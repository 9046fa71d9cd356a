import { chmodSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Directories } from '../base/directories.ts';
import { stepKey, type KeyParts } from '../oci/step-key.ts';
import { discardLayers, emptyTrash, sweepStore } from './discard-layers.ts';
import { diskStore } from './disk-store.ts';
import type { LayerId, StepRecord } from './layer-store.ts';
import { childrenFirst, readContents } from './store-contents.ts';
import { verifyLayer, verifyReferences, withChildren } from './verify-layers.ts';

let root: string;
let places: Directories;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devenv-verify-'));
  places = { data: join(root, 'data'), runtime: join(root, 'run') } as Directories;
});
afterEach(() => rmSync(root, { recursive: true }));

const at = (...names: string[]): string => join(root, 'data', ...names);

test('a store as it was written has no damage', async () => {
  await makeStore();
  expect(damages()).toEqual([]);
});

test.each<[string, (layer: LayerId) => void, RegExp]>([
  ['a file that was written to', (layer) => writeFileSync(at('layers', layer, 'file'), 'another!'), /file has another .*mtime/],
  ['a mode that was changed', (layer) => chmodSync(at('layers', layer, 'file'), 0o600), /file has another mode/],
  ['a file that is gone', (layer) => rmSync(at('layers', layer, 'file')), /file is missing/],
  ['a file that was added', (layer) => writeFileSync(at('layers', layer, 'new'), ''), /new was added/],
  ['a list that is gone', (layer) => rmSync(at('layer-info', `${layer}.files`)), /list of files is gone/],
  ['a record that is damaged', (layer) => writeFileSync(at('layer-info', `${layer}.json`), '{'), /no record/],
])('%s damages its layer, and what stands on it is dropped with it', async (_what, harm, text) => {
  const [lower, upper, other] = await makeStore();
  harm(lower);
  const [damage] = damages().filter(({ layer }) => layer === lower);
  expect(damage?.text).toMatch(text);
  const contents = readContents(places);
  const going = withChildren(contents.layers, new Set([lower]), childrenFirst(contents.layers));
  expect(going).not.toContain(other);
  expect(going).toContain(upper);
});

test('a layer whose parent is gone, a key that is not its hash, a chain and a record of nothing, and strays are told', async () => {
  const [lower, upper] = await makeStore();
  rmSync(at('layers', lower), { recursive: true });
  const [name] = readdirSync(at('step-keys'));
  writeFileSync(at('step-keys', `${'0'.repeat(64)}.json`), JSON.stringify({ ...record(upper), key: '0'.repeat(64) }));
  renameSync(at('step-keys', name!), at('step-keys', 'x.json'));
  writeFileSync(at('layers', 'note'), '');
  writeFileSync(at('surprise'), '');
  expect(damages().map(({ what, text }) => `${what}: ${text}`)).toEqual(
    expect.arrayContaining([
      `layer ${upper}: the layer ${lower} that it stands on is gone`,
      'step record x.json: it cannot be read',
      expect.stringMatching(/step record 0+.json: its key is not the hash of its parts/),
      'layers/note: it has no place in the store',
      'surprise: it has no place in the store',
    ]),
  );
});

test('a stop after any step of taking layers away leaves a store without damage', async () => {
  await makeStore();
  const contents = readContents(places);
  const order = childrenFirst(contents.layers);
  // What a killed collector leaves: some layers taken away, and the rest of what was known of one.
  for (let count = 1; count <= order.length; count++) {
    const info = at('layer-info', `${order[count - 1]!}.json`);
    const text = JSON.stringify(contents.layers.get(order[count - 1]!)!.info);
    discardLayers(places, contents, order.slice(0, count));
    writeFileSync(info, text);
    expect(damages()).toEqual([]);
  }
  expect(sweepStore(places)).not.toEqual([]);
  emptyTrash(places.data);
  expect([readdirSync(at('layer-info')), readdirSync(at('step-keys')), existsSync(at('trash'))]).toEqual([[], [], false]);
});

function damages(): ReturnType<typeof verifyReferences> {
  const contents = readContents(places);
  const layers = readdirSync(at('layers'))
    .filter((id) => id.length === 6)
    .map((id) => verifyLayer(places, id as LayerId, contents));
  return [...layers.filter((damage) => damage !== undefined), ...verifyReferences(places, contents)];
}

/** A layer, one on it with a step's record, and one beside them. */
async function makeStore(): Promise<[LayerId, LayerId, LayerId]> {
  const store = diskStore(places);
  const make = async (parent: LayerId | undefined): Promise<LayerId> => {
    const draft = await store.draft(parent);
    writeFileSync(join(draft.upper, 'file'), `content on ${parent ?? 'nothing'}`);
    return draft.commit({});
  };
  const lower = await make(undefined);
  const upper = await make(lower);
  const other = await make(undefined);
  await store.set(record(upper));
  return [lower, upper, other];
}

function record(layer: LayerId): StepRecord {
  const parts: KeyParts = { parent: null, definition: { kind: 'run' }, inputs: {}, args: {}, platform: 'linux/amd64', format: 1 };
  return { key: stepKey(parts), parts, layer, step: { project: 'p', name: 's' }, seconds: 1, createdAt: '2026-01-01T00:00:00.000Z' };
}
