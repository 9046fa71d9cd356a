import { expect, test } from 'vitest';
import { Readable } from 'node:stream';
import { zstdCompressSync } from 'node:zlib';
import { sha256 } from '../base/canonical-json.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import type { Layer } from '../oci/image.ts';
import { formatPlatform, hostPlatform } from '../oci/platform.ts';
import { layerFormat, stepKey, type KeyParts } from '../oci/step-key.ts';
import { startFakeServer, type Served } from './fake-server.suite.ts';
import { startRealRegistry } from './real-registry.suite.ts';
import { tarOfOneFile } from './registry.suite.ts';
import { remoteRegistry } from './remote.ts';
import { stepRepository, type RemoteStep, type StepRepository } from './step-repository.ts';

const platform = hostPlatform();
const parts: KeyParts = {
  parent: null,
  definition: { kind: 'run', command: ['make'] },
  inputs: {},
  args: {},
  platform: formatPlatform(platform),
  format: layerFormat,
};
const key = stepKey(parts);
const below = sha256Digest(sha256('below'));
const tar = tarOfOneFile('made', 'made by others');

/** Where others put a step: what is changed is a lie of theirs. */
interface Lies {
  readonly label?: string;
  readonly record?: Readonly<Record<string, unknown>>;
  readonly parts?: Readonly<Record<string, unknown>>;
  readonly blob?: Buffer;
  readonly diffId?: Digest;
  readonly layers?: number;
}

function documents({
  label,
  record = {},
  parts: told = {},
  blob = zstdCompressSync(tar),
  diffId,
  layers = 1,
}: Lies): Record<string, Served> {
  const text = JSON.stringify({ schema: 1, parts: { ...parts, ...told }, seconds: 60, below, tarBytes: tar.length, ...record });
  const { os, architecture } = platform;
  const diffIds = Array.from({ length: layers }, () => diffId ?? `sha256:${sha256(tar)}`);
  const config = JSON.stringify({
    os,
    architecture,
    config: { Labels: { 'dev.devenv.step': label ?? text } },
    rootfs: { type: 'layers', diff_ids: diffIds },
  });
  const named = sha256(zstdCompressSync(tar));
  const digest = `sha256:${blob.length > 1000 ? sha256(blob) : named}`; // a bomb is what it says that it is
  const size = blob.length > 1000 ? blob.length : zstdCompressSync(tar).length;
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: `sha256:${sha256(config)}`, size: config.length },
    layers: Array.from({ length: layers }, () => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd', digest, size })),
  });
  return {
    [`/v2/team/cache/manifests/devenv-${key}`]: { type: 'application/vnd.oci.image.manifest.v1+json', bytes: manifest },
    [`/v2/team/cache/blobs/sha256:${sha256(config)}`]: { type: 'application/octet-stream', bytes: config },
    [`/v2/team/cache/blobs/${digest}`]: { type: 'application/octet-stream', bytes: blob },
  };
}

async function found<T>(lies: Lies, use: (step: RemoteStep | undefined) => Promise<T>): Promise<T> {
  await using server = await startFakeServer(documents(lies));
  return await use(await at(server.host).find(key, platform));
}

function at(host: string): StepRepository {
  return stepRepository(`${host}/team/cache`, remoteRegistry({ env: {}, attempts: 1 }));
}

async function contentOf(layer: Layer): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await layer.open()) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('a step of others has what it is made on, what it took, and a layer', async () => {
  await found({}, async (step) => {
    expect(step).toMatchObject({ key, seconds: 60, below });
    expect((await contentOf(step!.layer)).equals(tar)).toBe(true);
  });
});

test.each<[string, Lies, RegExp]>([
  ['has no record', { label: '' }, /no record of a step/],
  ['has a record of another schema', { record: { schema: 2 } }, /no record of a step/],
  ['has two layers', { layers: 2 }, /no record of a step/],
  ['took no time that there is', { record: { seconds: -1 } }, /no record of a step/],
  ['stands on what is no digest', { record: { below: '../../etc' } }, /no record of a step/],
  ['does not say how large it is', { record: { tarBytes: 'large' } }, /no record of a step/],
  ['is of another command', { parts: { definition: { kind: 'run', command: ['rm'] } } }, /record of another step/],
  ['is of another parent', { parts: { parent: sha256('other') } }, /record of another step/],
  ['is of another platform', { parts: { platform: 'linux/s390x' } }, /record of another step/],
  ['is nested so deep that it has no key', { label: `{"schema":1,"seconds":1,"below":null,"tarBytes":1,"parts":{"definition":${'['.repeat(20_000)}${']'.repeat(20_000)}}}` }, /record of/], // prettier-ignore
  ['would unpack to more than is likely', { record: { tarBytes: 1e12 } }, /said to unpack to 1000000000000/],
])('a step that %s is refused', async (_what, lies, why) => {
  await expect(found(lies, async () => {})).rejects.toMatchObject({
    code: 'REGISTRY_ANSWER',
    message: expect.stringMatching(why) as string,
  });
});

test.each<[string, Lies, string]>([
  ['other bytes than the manifest names', { blob: Buffer.alloc(zstdCompressSync(tar).length) }, 'DIGEST_MISMATCH'],
  ['another archive than the record names', { diffId: below }, 'DIGEST_MISMATCH'],
  ['more than the record says', { record: { tarBytes: 600 } }, 'BAD_ARCHIVE'],
  ['a bomb', { blob: zstdCompressSync(Buffer.alloc(512 * 1024 * 1024)) }, 'BAD_ARCHIVE'],
])('a layer that gives %s ends with an error', async (_what, lies, code) => {
  await found(lies, async (step) => {
    let bytes = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of await step!.layer.open()) bytes += (chunk as Buffer).length;
    };
    await expect(read()).rejects.toMatchObject({ code });
    expect(bytes).toBeLessThanOrEqual(tar.length);
  });
});

test('what is not there is not there, and what may not be asked says so', async () => {
  await using empty = await startFakeServer({});
  expect(await at(empty.host).find(key, platform)).toBeUndefined();
  await using closed = await startFakeServer({}, (_request, response) => (response.writeHead(401).end(), true));
  await expect(at(closed.host).find(key, platform)).rejects.toMatchObject({ code: 'REGISTRY_DENIED' });
});

test('what is published is found, in place of what was there; its layer is sent compressed', async () => {
  await using registry = await startRealRegistry();
  const repository = at(registry.host);
  const layer: Layer & { size: number } = {
    diffId: sha256Digest(sha256(tar)),
    size: tar.length,
    open: async () => Readable.from([tar]),
  };
  for (const seconds of [60, 30]) {
    await repository.publish({ parts, seconds, below, layer, platform });
    const step = await repository.find(key, platform);
    expect(step).toMatchObject({ key, seconds, below });
    expect((await contentOf(step!.layer)).equals(tar)).toBe(true);
    expect(step!.layer.blob!.mediaType).toMatch(/zstd$/);
  }
});

test.each(['r.example/cache:tag', `r.example/cache@${below}`, 'https://r.example/cache'])('%s is no name of a cache', (name) => {
  expect(() => stepRepository(name, remoteRegistry({ env: {} }))).toThrow(expect.objectContaining({ code: 'BAD_VALUE' }) as Error);
});
