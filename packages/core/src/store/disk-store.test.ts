import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sha256 } from '../base/canonical-json.ts';
import type { Directories } from '../base/directories.ts';
import { sha256Digest } from '../oci/digest.ts';
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

test('a pulled layer is given out as the archive that it came as, and a layer of a step as the same on every machine', async () => {
  const store = open();
  writeFileSync(join(root, 'file'), 'content');
  const tar = execFileSync('tar', ['-C', root, '--format=gnu', '-cf', '-', 'file']);
  const diffId = sha256Digest(sha256(tar));
  const pulled = await store.add({ diffId, open: async () => Readable.from([tar]) }, undefined, {});
  const layer = await store.open(pulled);
  expect([layer.diffId, layer.size, await buffer(await layer.open())]).toEqual([diffId, tar.length, tar]);

  const draft = await store.draft(pulled);
  writeFileSync(join(draft.upper, 'made'), 'by a step');
  const made = await store.open(await draft.commit({}));
  const bytes = await buffer(await made.open());
  expect([made.diffId, made.size]).toEqual([sha256Digest(sha256(bytes)), bytes.length]);
  // Who pulls what was made here finds it.
  const again = await store.add({ diffId: made.diffId, open: () => Promise.reject(new Error('fetched')) }, pulled, {});
  expect((await store.info(again))?.parent).toBe(pulled);
});

test('a layer whose files were changed in the store is not given out', async () => {
  const store = open();
  writeFileSync(join(root, 'file'), 'content');
  const tar = execFileSync('tar', ['-C', root, '-cf', '-', 'file']);
  const id = await store.add({ diffId: sha256Digest(sha256(tar)), open: async () => Readable.from([tar]) }, undefined, {});
  writeFileSync(join(root, 'data/layers', id, 'file'), 'changed');
  await expect(buffer(await (await store.open(id)).open())).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
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
