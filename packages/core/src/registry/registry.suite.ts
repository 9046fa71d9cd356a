import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Digest } from '../oci/digest.ts';
import type { Layer } from '../oci/image.ts';
import { parseReference } from '../oci/reference.ts';
import type { MemoryImage } from './memory.ts';
import type { Registry } from './registry.ts';

/** A registry under test and a way to put images into it. */
export interface Fixture extends AsyncDisposable {
  readonly registry: Registry;
  /** Host (and port) that the names of its images begin with. */
  readonly host: string;
  /** Several images make an index. */
  put(repository: string, tag: string, images: readonly MemoryImage[]): Promise<void>;
}

/** The laws of Registry: every implementation runs them. */
export function registrySuite(kind: string, open: () => Promise<Fixture>): void {
  describe(`${kind} is a registry`, () => {
    let fixture: Fixture;
    const amd64 = { os: 'linux', architecture: 'amd64' } as const;
    const arm64 = { os: 'linux', architecture: 'arm64' } as const;
    const lower = tarOfOneFile('lower', 'first');
    const upper = tarOfOneFile('upper', 'x'.repeat(300_000));
    const config = {
      env: { PATH: '/bin', A: 'b=c', EMPTY: '' },
      user: '1000:users',
      workdir: '/srv',
      entrypoint: ['/init'],
      command: ['a', 'b c'],
      labels: { 'org.example': 'yes' },
      exposedPorts: ['80/tcp'],
      volumes: ['/data'],
      stopSignal: 'SIGINT',
    };
    const name = (text: string) => parseReference(`${fixture.host}/${text}`);

    beforeAll(async () => {
      fixture = await open();
      await fixture.put('one', '1', [{ platform: amd64, config, layers: [lower, upper] }]);
      await fixture.put('deep/er/two', 'both', [
        { platform: arm64, config: { env: { ON: 'arm64' } }, layers: [upper] },
        { platform: amd64, config: { env: { ON: 'amd64' } }, layers: [lower] },
      ]);
    });
    afterAll(() => fixture[Symbol.asyncDispose]());

    test('an image comes with its config and its layers in order, every byte', async () => {
      const image = await fixture.registry.get(name('one:1'), amd64);
      const { document, manifest, ...values } = image;
      expect({ ...values, layers: await Promise.all(image.layers.map((layer) => contentOf(layer))) }).toEqual({
        id: digestOf(document),
        platform: amd64,
        config,
        layers: [lower, upper].map((bytes) => bytes.toString('latin1')),
      });
      expect(image.layers.map(({ diffId }) => diffId)).toEqual([lower, upper].map(digestOf));
      expect(digestOf(manifest!.bytes)).toBe(manifest!.digest);
      const { layers } = JSON.parse(manifest!.bytes.toString()) as { layers: unknown[] };
      expect(image.layers.map(({ blob }) => blob)).toEqual(layers);
    });

    test('progress counts the bytes that travel', async () => {
      const { layers } = await fixture.registry.get(name('one:1'), amd64);
      let count = 0;
      await contentOf(layers[1]!, (bytes) => (count += bytes));
      expect(count).toBe(layers[1]!.size);
    });

    test('a name means the image of the platform that is asked for', async () => {
      const images = await Promise.all([amd64, arm64].map((platform) => fixture.registry.get(name('deep/er/two:both'), platform)));
      expect(images.map((image) => image.config.env['ON'])).toEqual(['amd64', 'arm64']);
    });

    test('what a name resolves to is got by its digest, whatever the tag means now', async () => {
      const { manifest } = (await fixture.registry.resolve(name('deep/er/two:both'), amd64))!;
      const [byTag, byDigest] = await Promise.all([
        fixture.registry.get(name('deep/er/two:both'), amd64),
        fixture.registry.get({ ...name('deep/er/two:no-such-tag'), digest: manifest }, amd64),
      ]);
      expect([byDigest.id, byDigest.manifest!.digest]).toEqual([byTag.id, manifest]);
    });

    test('a name of several images also means their index, and of one it means its manifest only', async () => {
      const [ours, theirs] = [
        await fixture.registry.resolve(name('deep/er/two:both'), amd64),
        await fixture.registry.resolve(name('deep/er/two:both'), arm64),
      ];
      expect(ours!.index).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect([theirs!.index, new Set([ours!.manifest, theirs!.manifest, ours!.index]).size]).toEqual([ours!.index, 3]);
      expect(await fixture.registry.resolve({ ...name('deep/er/two:both'), digest: ours!.index }, amd64)).toEqual(ours);
      expect(await fixture.registry.resolve({ ...name('deep/er/two:both'), digest: ours!.manifest }, amd64)).toEqual({
        manifest: ours!.manifest,
      });
      expect(Object.keys((await fixture.registry.resolve(name('one:1'), amd64))!)).toEqual(['manifest']);
    });

    test('a platform the image was not made for is refused with the list of those it was made for', async () => {
      const riscv = { os: 'linux', architecture: 'riscv64' } as const;
      const error = expect.objectContaining({ code: 'PLATFORM_NOT_FOUND' }) as Error;
      await expect(fixture.registry.get(name('deep/er/two:both'), riscv)).rejects.toThrow(/linux\/riscv64.*linux\/arm64, linux\/amd64/);
      await expect(fixture.registry.get(name('deep/er/two:both'), riscv)).rejects.toEqual(error);
      await expect(fixture.registry.get(name('one:1'), arm64)).rejects.toEqual(error);
    });

    test('a name that means nothing resolves to nothing and cannot be got', async () => {
      for (const missing of ['one:2', 'none:1', `one@sha256:${'0'.repeat(64)}`]) {
        expect(await fixture.registry.resolve(name(missing), amd64)).toBeUndefined();
        await expect(fixture.registry.get(name(missing), amd64)).rejects.toEqual(expect.objectContaining({ code: 'IMAGE_NOT_FOUND' }));
      }
    });
  });
}

export async function contentOf(layer: Layer, onBytes?: (count: number) => void): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of await layer.open(onBytes ? { onBytes } : {})) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('latin1');
}

function digestOf(bytes: Buffer): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The smallest archive: one file of root's. */
export function tarOfOneFile(name: string, content: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\x0000', 257);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([header, Buffer.from(content), padding, Buffer.alloc(1024)]);
}
