import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UserError } from '../base/errors.ts';
import type { Image } from '../oci/image.ts';
import type { Reference } from '../oci/reference.ts';
import { localReference, localRegistry, localStamp, type LocalSource } from './local.ts';
import { writeLayout } from './real-registry.suite.ts';
import { contentOf, registrySuite, tarOfOneFile } from './registry.suite.ts';

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
const lower = tarOfOneFile('lower', 'first');
const upper = tarOfOneFile('upper', 'x'.repeat(300_000));
const config = { env: { A: 'b' }, command: ['/bin/true'], labels: { l: '1' } };

let folder: string;
const at = (name: string): string => join(folder, name);
const skopeo = (...args: string[]): void => void execFileSync('skopeo', ['copy', '-q', ...args], { stdio: 'pipe' });
const tar = (directory: string, file: string, ...args: string[]): void =>
  void execFileSync('tar', ['-C', directory, '-cf', file, ...(args.length > 0 ? args : ['.'])]);

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'devenv-local-'));
  writeLayout(at('source'), [{ platform: amd64, config, layers: [lower, upper] }], 1); // docker archives know no zstd
  skopeo(`oci:${at('source')}:image`, `docker-archive:${at('docker.tar')}:shop:1`);
  skopeo(`oci:${at('source')}:image`, `oci-archive:${at('oci.tar')}:image`);
  skopeo(`oci:${at('source')}:image`, `oci:${at('layout')}:image`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const open = (path: string, kind: LocalSource['kind'] = 'archive'): ReturnType<typeof localRegistry> =>
  localRegistry({ kind, path }, at('cache'));
const imageOf = async (path: string, kind?: LocalSource['kind']): Promise<Image> => (await open(path, kind)).get(localReference, amd64);
const layersOf = async (path: string, kind?: LocalSource['kind']): Promise<string[]> =>
  Promise.all((await imageOf(path, kind)).layers.map((layer) => contentOf(layer)));
const failureOf = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'no error',
    (error: unknown) => (error instanceof UserError ? `${error.code}: ${error.message}` : error),
  );

for (const kind of ['layout', 'archive'] as const) {
  registrySuite(`an OCI ${kind}`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'devenv-local-suite-'));
    const pathOf = ({ repository, tag, digest }: Reference): string =>
      join(directory, digest ? repository.replaceAll('/', '-') : `${repository.replaceAll('/', '-')}#${tag}`);
    const opened = async (reference: Reference): ReturnType<typeof localRegistry> =>
      localRegistry({ kind, path: pathOf(reference) }, directory);
    return {
      host: 'registry.example',
      registry: {
        resolve: async (reference, platform) =>
          (await opened(reference).catch(() => undefined))?.resolve({ ...localReference, digest: reference.digest }, platform),
        get: async (reference, platform) => (await opened(reference)).get({ ...localReference, digest: reference.digest }, platform),
      },
      async put(repository, tag, images) {
        const path = join(directory, repository.replaceAll('/', '-'));
        writeLayout(path, images);
        const index = readFileSync(join(path, 'index.json'), 'utf8');
        writeFileSync(join(path, 'index.json'), index.replace('"image"', JSON.stringify(tag)));
        if (kind === 'layout') return;
        renameSync(path, `${path}.layout`);
        tar(`${path}.layout`, path);
      },
      async [Symbol.asyncDispose]() {
        rmSync(directory, { recursive: true });
      },
    };
  });
}

test('what skopeo writes as docker archive, OCI archive and layout has the same layers, config and parameters as its source', async () => {
  const source = await imageOf(at('source'), 'layout');
  const forms: [string, LocalSource['kind']][] = [
    [at('docker.tar'), 'archive'],
    [at('oci.tar'), 'archive'],
    [at('layout'), 'layout'],
  ];
  for (const [path, kind] of forms) {
    const image = await imageOf(path, kind);
    const compared = ({ id, document, config: parameters, layers }: Image): unknown[] => [
      id,
      document.toString(),
      parameters,
      layers.map(({ diffId }) => diffId),
    ];
    expect(compared(image)).toEqual(compared(source));
    expect(await layersOf(path, kind)).toEqual([lower, upper].map((bytes) => bytes.toString('latin1')));
  }
});

test.each([
  ['gzip', gzipSync],
  ['zstd', zstdCompressSync],
])('an archive compressed with %s is the same image, and its plain copy has no name', async (name, compress) => {
  for (const form of ['docker.tar', 'oci.tar']) {
    writeFileSync(at(`${form}.${name}`), compress(readFileSync(at(form))));
    expect((await imageOf(at(`${form}.${name}`))).id).toBe((await imageOf(at(form))).id);
    expect(await layersOf(at(`${form}.${name}`))).toEqual([lower, upper].map((bytes) => bytes.toString('latin1')));
  }
  expect(readdirSync(at('cache'))).toEqual([]);
});

test('what a name resolves to is got by its digest, also of a docker archive', async () => {
  const registry = await open(at('docker.tar'));
  const { manifest } = (await registry.resolve(localReference, amd64))!;
  expect((await registry.get({ ...localReference, digest: manifest }, amd64)).id).toBe((await imageOf(at('docker.tar'))).id);
});

test('of several images the one behind # is meant; without it, or with a wrong one, the error lists them', async () => {
  writeLayout(at('other'), [{ platform: amd64, config, layers: [lower] }]);
  execFileSync('cp', ['-r', at('layout'), at('two')]);
  skopeo(`oci:${at('other')}:image`, `oci:${at('two')}:ghcr.io/team/other:2`);
  const [first, second] = [await imageOf(at('source'), 'layout'), await imageOf(at('other'), 'layout')];
  tar(at('two'), at('two.tar'));
  const forms: [string, LocalSource['kind']][] = [
    [at('two'), 'layout'],
    [at('two.tar'), 'archive'],
  ];
  for (const [path, kind] of forms) {
    expect((await imageOf(`${path}#image`, kind)).id).toBe(first.id);
    expect((await imageOf(`${path}#ghcr.io/team/other:2`, kind)).id).toBe(second.id);
    expect((await imageOf(`${path}#2`, kind)).id).toBe(second.id);
    expect(await failureOf(open(path, kind))).toMatch(/^IMAGE_NOT_FOUND: two\S* holds several images: image, ghcr\.io\/team\/other:2\.$/);
    expect(await failureOf(open(`${path}#none`, kind))).toMatch(/^IMAGE_NOT_FOUND: .*"none"; it holds image, ghcr\.io\/team\/other:2\.$/);
  }
  expect((await imageOf(`${at('docker.tar')}#docker.io/library/shop:1`)).id).toBe(first.id);
  expect((await imageOf(`${at('docker.tar')}#1`)).id).toBe(first.id);
});

/** A docker archive unpacked, to be changed and packed again. */
function changedDockerArchive(name: string, change: (directory: string, layers: string[]) => void): string {
  const directory = at(name);
  mkdirSync(directory);
  execFileSync('tar', ['-C', directory, '-xf', at('docker.tar')]);
  const manifest = JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')) as { Layers: string[] }[];
  change(directory, manifest[0]!.Layers);
  tar(directory, `${directory}.tar`);
  return `${directory}.tar`;
}

test('layers of a docker archive may be links to each other, and compressed', async () => {
  const linked = changedDockerArchive('linked', (directory, layers) => {
    mkdirSync(join(directory, 'deep'));
    renameSync(join(directory, layers[0]!), join(directory, 'deep/layer.tar'));
    symlinkSync('./deep/layer.tar', join(directory, layers[0]!));
    writeFileSync(join(directory, layers[1]!), gzipSync(upper));
  });
  expect(await layersOf(linked)).toEqual([lower, upper].map((bytes) => bytes.toString('latin1')));
});

test('a layer of a docker archive that is not what its config says is refused', async () => {
  const wrong = changedDockerArchive('wrong', (directory, layers) => writeFileSync(join(directory, layers[0]!), tarOfOneFile('evil', '1')));
  expect(await failureOf(layersOf(wrong))).toMatch(/^DIGEST_MISMATCH/);
});

test.each([
  ['a link that leads out', '../../../../../../../etc/passwd'],
  ['an absolute link', '/etc/passwd'],
])('%s finds nothing: names mean members of the archive only', async (name, target) => {
  const hostile = changedDockerArchive(`hostile ${name}`, (directory, layers) => {
    rmSync(join(directory, layers[0]!));
    symlinkSync(target, join(directory, layers[0]!));
  });
  expect(await failureOf(layersOf(hostile))).toMatch(/^BAD_ARCHIVE: .*is missing/);
});

test('links that lead in a circle end', async () => {
  const circle = changedDockerArchive('circle', (directory, layers) => {
    rmSync(join(directory, layers[0]!));
    symlinkSync(layers[0]!, join(directory, layers[0]!));
  });
  expect(await failureOf(open(circle))).toMatch(/^BAD_ARCHIVE: .*is missing/);
});

test('an archive that is cut off anywhere is refused, plain or compressed', async () => {
  for (const form of ['docker.tar', 'oci.tar']) {
    const bytes = readFileSync(at(form));
    for (const length of [300, 700, bytes.length >> 1, bytes.length - 12_000]) {
      writeFileSync(at('cut.tar'), bytes.subarray(0, length));
      expect(await failureOf(layersOf(at('cut.tar')))).toMatch(/^BAD_ARCHIVE/);
    }
    const compressed = gzipSync(bytes);
    writeFileSync(at('cut.tar'), compressed.subarray(0, compressed.length >> 1));
    expect(await failureOf(layersOf(at('cut.tar')))).toMatch(/^BAD_ARCHIVE/);
  }
});

test('a blob of a layout that is missing, changed or no file is refused', async () => {
  const [layer] = readdirSync(at('layout/blobs/sha256')).filter((name) => readFileSync(at(`layout/blobs/sha256/${name}`))[0] === 0x1f);
  const blob = `blobs/sha256/${layer}`;
  for (const [name, change, answer] of [
    ['missing', (path: string) => rmSync(path), /^BAD_ARCHIVE: .*missing/],
    ['changed', (path: string) => writeFileSync(path, gzipSync('other')), /^DIGEST_MISMATCH/],
    ['pipe', (path: string) => void (rmSync(path), execFileSync('mkfifo', [path])), /^BAD_ARCHIVE: .*missing/],
  ] as const) {
    execFileSync('cp', ['-r', at('layout'), at(name)]);
    change(join(at(name), blob));
    expect(await failureOf(layersOf(at(name), 'layout'))).toMatch(answer);
  }
});

test.each([
  ['nothing there', 'none.tar', 'archive', /^IMAGE_NOT_FOUND: There is no archive .*none\.tar/],
  ['no layout there', 'none', 'layout', /^IMAGE_NOT_FOUND: There is no OCI layout/],
  ['a directory as archive', 'layout', 'archive', /^IMAGE_NOT_FOUND: .* is no archive/],
  ['a file as layout', 'docker.tar', 'layout', /^IMAGE_NOT_FOUND: .* is no OCI image layout/],
  ['a tar of something else', 'else.tar', 'archive', /^BAD_ARCHIVE: else\.tar cannot be used: it is no image/],
  ['text', 'text.tar', 'archive', /^BAD_ARCHIVE/],
  ['xz', 'xz.tar', 'archive', /^BAD_ARCHIVE: .*xz/],
] as const)('%s: a clear error', async (_what, name, kind, answer) => {
  writeFileSync(at('else.tar'), lower);
  writeFileSync(at('text.tar'), 'no archive at all\n'.repeat(100));
  writeFileSync(at('xz.tar'), Buffer.from('fd377a585a000000', 'hex'));
  expect(await failureOf(open(at(name), kind))).toMatch(answer);
});

test('the stamp of a source changes with it, and only then', async () => {
  writeFileSync(at('stamp.tar'), readFileSync(at('docker.tar')));
  const stamps = (): string[] => [
    localStamp({ kind: 'archive', path: at('stamp.tar') }),
    localStamp({ kind: 'archive', path: `${at('stamp.tar')}#shop:1` }),
    localStamp({ kind: 'layout', path: at('other') }),
  ];
  const before = stamps();
  expect(stamps()).toEqual(before);
  writeFileSync(at('stamp.tar'), readFileSync(at('oci.tar')));
  skopeo(`oci:${at('source')}:image`, `oci:${at('other')}:more`);
  expect(stamps().filter((stamp, index) => stamp === before[index])).toEqual([]);
});
