import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Directories } from '../base/directories.ts';
import type { StepKey } from '../oci/step-key.ts';
import { diskStore } from './disk-store.ts';
import type { LayerId, StepRecord } from './layer-store.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devenv-store-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const open = (): ReturnType<typeof diskStore> => diskStore({ data: join(root, 'data'), runtime: join(root, 'run') } as Directories);
const key = 'k'.repeat(64) as StepKey;

test('a step whose record is damaged has never run', async () => {
  const [layer] = await makeLayers();
  const record = recordOf(layer);
  const path = join(root, 'data/step-keys', `${key}.json`);
  await open().set(record);
  expect(await open().get(key)).toEqual(record);
  for (const damaged of [
    [],
    null,
    {},
    { ...record, key: 'another' },
    { ...record, layer: '../../../../etc' },
    { ...record, parts: { ...record.parts, definition: 'x' } },
    { ...record, parts: { ...record.parts, inputs: { a: {} } } },
  ]) {
    writeFileSync(path, JSON.stringify(damaged));
    expect([await open().get(key), await open().all()]).toEqual([undefined, []]);
  }
});

test('a layer that is damaged, or stands on one that is, is not here, and neither is what stands on it', async () => {
  const [lower, upper] = await makeLayers();
  await open().set(recordOf(upper));
  const path = join(root, 'data/layer-info', `${lower}.json`);
  const info = await open().info(lower);
  expect(await open().get(key)).toBeDefined();
  for (const damaged of [{}, [], { ...info, parent: 'zzzzzz' }, { ...info, parent: upper }, { ...info, id: upper }]) {
    writeFileSync(path, JSON.stringify(damaged));
    expect(await open().get(key)).toBe(undefined);
  }
  writeFileSync(path, '{}');
  expect(await open().info(lower)).toBe(undefined);
  writeFileSync(path, JSON.stringify(info));
  expect(await open().get(key)).toBeDefined();
});

async function makeLayers(): Promise<[LayerId, LayerId]> {
  const store = open();
  const ids: LayerId[] = [];
  for (const name of ['a', 'b']) {
    const draft = await store.draft(ids.at(-1));
    writeFileSync(join(draft.upper, name), name);
    ids.push(await draft.commit({}));
  }
  return ids as [LayerId, LayerId];
}

function recordOf(layer: LayerId): StepRecord {
  const parts = { parent: null, definition: { kind: 'run' }, inputs: {}, args: {}, platform: 'linux/amd64', format: 1 };
  return { key, parts, layer, step: { project: 'p', name: 's' }, seconds: 1, createdAt: '2026-01-01T00:00:00.000Z' };
}
