import { expect, test } from 'vitest';
import { choosePlatform, platformsOf } from './choose-platform.ts';
import { DocumentError } from './document.ts';
import { parseImageConfig } from './image-config.ts';
import { parseManifest, type Index } from './manifest.ts';
import { parsePlatform } from './platform.ts';

const digest = (digit: string) => `sha256:${digit.repeat(64)}`;
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
const ociType = 'application/vnd.oci.image.manifest.v1+json';
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digest('c'), size: 1 };
const layer = (kind: string) => ({ mediaType: `application/vnd.${kind}`, digest: digest('a'), size: 2 });

test.each([
  'oci.image.layer.v1.tar',
  'oci.image.layer.v1.tar+gzip',
  'oci.image.layer.v1.tar+zstd',
  'oci.image.layer.nondistributable.v1.tar+gzip',
  'docker.image.rootfs.diff.tar',
  'docker.image.rootfs.diff.tar.gzip',
  'docker.image.rootfs.foreign.diff.tar.gzip',
])('layers of type %s are read', (kind) => {
  expect(parseManifest(bytes({ schemaVersion: 2, config, layers: [layer(kind)] }), ociType)).toEqual({
    kind: 'manifest',
    config,
    layers: [layer(kind)],
  });
});

test.each<[string, unknown]>([
  ['the layer of a chart', { schemaVersion: 2, config, layers: [layer('cncf.helm.chart.content.v1.tar+gzip')] }],
  ['an encrypted layer', { schemaVersion: 2, config, layers: [layer('oci.image.layer.v1.tar+gzip+encrypted')] }],
  ['another media type', { schemaVersion: 2, mediaType: 'application/vnd.example', config, layers: [] }],
  ['a digest of another algorithm', { schemaVersion: 2, config: { ...config, digest: `sha512:${'0'.repeat(128)}` }, layers: [] }],
  ['a negative size', { schemaVersion: 2, config: { ...config, size: -1 }, layers: [] }],
  ['a size with a fraction', { schemaVersion: 2, config: { ...config, size: 1.5 }, layers: [] }],
  ['no config', { schemaVersion: 2, layers: [] }],
  ['an index that says it is an image', { schemaVersion: 2, mediaType: ociType, manifests: [] }],
])('%s is refused', (_what, document) => {
  expect(() => parseManifest(bytes(document), ociType)).toThrow(DocumentError);
});

const index = (...platforms: readonly (string | undefined)[]): Index =>
  parseManifest(
    bytes({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: platforms.map((text, at) => {
        const [os, architecture, variant] = text?.split('/') ?? [];
        return {
          mediaType: ociType,
          digest: digest(String(at)),
          size: 1,
          ...(text === undefined ? {} : { platform: { os, architecture, variant } }),
        };
      }),
    }),
  ) as Index;

test.each<[string, readonly (string | undefined)[], number]>([
  ['linux/amd64', ['linux/arm64', 'linux/amd64', 'windows/amd64'], 1],
  ['linux/amd64', ['windows/amd64', 'unknown/unknown'], -1],
  ['linux/amd64', ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64'], 2],
  ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 1],
  ['linux/arm64', ['linux/arm64/v8'], 0],
  ['linux/arm64/v8', ['linux/arm64'], 0],
  ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], 1],
  ['linux/arm/v6', ['linux/arm/v7', 'linux/arm'], -1],
  ['linux/amd64', ['linux/x86_64'], 0],
  ['linux/amd64', [undefined], 0],
  ['linux/amd64', [undefined, undefined], -1],
  ['linux/riscv64', ['linux/riscv64', 'linux/riscv64'], 0],
])('%s takes of %j number %i', (platform, offered, expected) => {
  const chosen = choosePlatform(index(...offered), parsePlatform(platform)!);
  expect(chosen?.digest).toBe(expected < 0 ? undefined : digest(String(expected)));
});

test('attestations are no platform', () => {
  expect(platformsOf(index('linux/amd64', 'unknown/unknown', 'linux/arm/v7', 'linux/amd64'))).toEqual(['linux/amd64', 'linux/arm/v7']);
});

test('a config with nothing in it, or null everywhere, has the defaults', () => {
  const empty = { env: {}, user: '', workdir: '', entrypoint: [], command: [], labels: {}, exposedPorts: [], volumes: [] };
  const nulls = {
    User: null,
    Env: null,
    Cmd: null,
    Entrypoint: null,
    Labels: null,
    Volumes: null,
    ExposedPorts: null,
    WorkingDir: null,
    StopSignal: null,
  };
  for (const document of [{ rootfs: {} }, { config: null, rootfs: { diff_ids: null } }, { config: nulls, rootfs: { diff_ids: [] } }]) {
    expect(parseImageConfig(bytes(document))).toEqual({ platform: undefined, config: empty, diffIds: [] });
  }
});

test('the environment keeps its order, the later value of a name, and names that are words of JavaScript', () => {
  const Env = ['PATH=/bin', 'B=1', 'A=x=y', 'B=2', '__proto__=odd', 'EMPTY=', 'BARE', '=x'];
  const { env } = parseImageConfig(bytes({ config: { Env }, rootfs: { diff_ids: [] } })).config;
  expect(Object.entries(env)).toEqual([
    ['PATH', '/bin'],
    ['B', '2'],
    ['A', 'x=y'],
    ['__proto__', 'odd'],
    ['EMPTY', ''],
    ['BARE', ''],
  ]);
});

test.each<[string, unknown]>([
  ['no rootfs', {}],
  ['diff ids that are none', { rootfs: { diff_ids: ['x'] } }],
  ['an environment of numbers', { config: { Env: [1] }, rootfs: { diff_ids: [] } }],
  ['a command of text', { config: { Cmd: 'sh' }, rootfs: { diff_ids: [] } }],
])('a config with %s is refused', (_what, document) => {
  expect(() => parseImageConfig(bytes(document))).toThrow(DocumentError);
});

test.each(['\u001b[2J', '\0', '\u009b31m', 'x'.repeat(100_000)])(
  'a media type neither commands the terminal nor fills it: %j',
  (mediaType) => {
    const refused = [
      { schemaVersion: 2, mediaType },
      { schemaVersion: 2, config: { mediaType: 'a', digest: digest('0'), size: 1 }, layers: [{ mediaType, digest: digest('0'), size: 1 }] },
    ];
    for (const document of refused) {
      const read = (): unknown => parseManifest(bytes(document));
      expect(read).toThrow(/which is no image$|^it is no container image/);
      expect(read).toThrow(/^\P{Cc}{1,300}$/u);
    }
  },
);
