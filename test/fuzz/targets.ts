import { createHash } from 'node:crypto';
import { UserError } from '../../packages/core/src/base/errors.ts';
import { choosePlatform, platformsOf } from '../../packages/core/src/oci/choose-platform.ts';
import { isDigest } from '../../packages/core/src/oci/digest.ts';
import { DocumentError, type Descriptor } from '../../packages/core/src/oci/document.ts';
import { parseImageConfig } from '../../packages/core/src/oci/image-config.ts';
import { manifestMediaTypes, parseManifest } from '../../packages/core/src/oci/manifest.ts';
import { TarReader } from '../../packages/core/src/oci/tar-reader.ts';
import { dockerArchiveContent } from '../../packages/core/src/registry/docker-archive.ts';
import { layoutContent } from '../../packages/core/src/registry/layout.ts';
import type { LocalFiles } from '../../packages/core/src/registry/local-files.ts';
import type { Corpus } from './corpus.ts';
import { mutateArchive, mutateDocument } from './mutate.ts';
import type { Random } from './random.ts';

/** What is fuzzed: an input from the corpus, changed, and what must hold whatever it is. */
export interface Target {
  make(random: Random, corpus: Corpus): Buffer;
  /** Throws when a law is broken. */
  check(input: Buffer, random: Random): Promise<void> | void;
}

const amd64 = { os: 'linux', architecture: 'amd64' } as const;
/** Of the processor: more for one small input is an attack on time. */
const patience = 2_000_000; // µs

const used = (): number => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

export const targets: Readonly<Record<string, Target>> = {
  manifest: {
    make: (random, { documents }) => mutateDocument(random.pick(documents), random, documents),
    async check(input, random) {
      await allowed(() => checkManifest(input, random.pick([undefined, 'text/html', ...manifestMediaTypes])));
      await allowed(() => checkConfig(input));
      const files: LocalFiles = {
        // Every file of the image is this one: the worst that they can be to one another.
        size: (name) => (name.startsWith('missing') ? undefined : input.length),
        async *read() {
          yield input;
        },
      };
      const wanted = { name: random.pick([undefined, 'one', 'first:1']), place: 'fuzz' };
      await allowed(async () => void (await layoutContent(files, wanted)));
      await allowed(async () => void (await dockerArchiveContent(files, wanted)));
    },
  },
  tar: {
    make: (random, { archives }) => mutateArchive(random.pick(archives), random),
    check(input, random) {
      const whole = eventsOf([input]);
      const cuts = Array.from({ length: 3 }, () => random.below(input.length + 1)).toSorted((a, b) => a - b);
      const pieces = [0, ...cuts].map((start, index) => input.subarray(start, cuts[index] ?? input.length));
      const inPieces = eventsOf(pieces);
      if (whole !== inPieces) throw new Error('an archive that comes in pieces is another archive');
    },
  },
};

/** Runs what may refuse its input, in the way that is meant for people. */
async function allowed(work: () => Promise<void> | void): Promise<void> {
  const started = used();
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DocumentError) && !(error instanceof UserError)) throw error;
    // eslint-disable-next-line no-control-regex
    if (/[\0-\x08\x0b-\x1f\x7f]/.test(error.message))
      throw new Error(`a message with control characters: ${JSON.stringify(error.message)}`, { cause: error });
    if (error.message.length > 20_000) throw new Error('a message that nobody can read', { cause: error });
  }
  if (used() - started > patience) throw new Error('it took too long');
}

function checkManifest(input: Buffer, mediaType: string | undefined): void {
  const document = parseManifest(input, mediaType);
  if (document.kind === 'index') {
    platformsOf(document);
    const chosen = choosePlatform(document, amd64);
    for (const entry of chosen ? [...document.manifests, chosen] : document.manifests) checkDescriptor(entry);
  } else for (const descriptor of [document.config, ...document.layers]) checkDescriptor(descriptor);
}

function checkDescriptor({ digest, size, mediaType, urls = [] }: Descriptor): void {
  if (!isDigest(digest) || !Number.isSafeInteger(size) || size < 0 || typeof mediaType !== 'string')
    throw new Error('a descriptor that is none');
  if (urls.some((url) => typeof url !== 'string')) throw new Error('an address that is no text');
}

function checkConfig(input: Buffer): void {
  const { config, diffIds, created } = parseImageConfig(input);
  const texts = [config.user, config.workdir, ...config.entrypoint, ...config.command, ...config.exposedPorts, ...config.volumes];
  const all = [...texts, ...Object.values(config.env), ...Object.values(config.labels)];
  if (all.some((text) => typeof text !== 'string')) throw new Error('a setting that is no text');
  if (!diffIds.every(isDigest)) throw new Error('a diff id that is none');
  if (created !== undefined && Number.isNaN(Date.parse(created))) throw new Error('a time that is none');
}

/** Everything that a reader of the archive hears, as one text; a refusal is the last of it. */
function eventsOf(pieces: readonly Buffer[]): string {
  const hash = createHash('sha256');
  let reached = 0;
  const reader = new TarReader({
    entry: (entry) =>
      void hash.update(
        `entry ${JSON.stringify(entry, (_, value: unknown) => (value instanceof Map ? [...value] : typeof value === 'bigint' ? String(value) : value))}`,
      ),
    data: (bytes, offset) => {
      if (offset !== reached) hash.update(`at ${offset}`);
      reached = offset + bytes.length;
      hash.update(bytes);
    },
    end: () => void hash.update('end'),
  });
  const started = used();
  try {
    for (const piece of pieces) reader.write(piece);
    reader.end();
    hash.update('over');
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== 'BAD_ARCHIVE') throw error;
    hash.update(error.message);
  }
  if (used() - started > patience) throw new Error('it took too long');
  return hash.digest('hex');
}
