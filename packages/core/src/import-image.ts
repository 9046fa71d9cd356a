import { createHash, randomBytes } from 'node:crypto';
import { closeSync, createReadStream, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Options } from './contract.ts';
import { composedRecord, composeImage } from './compose-image.ts';
import { UserError } from './base/errors.ts';
import { isMapped } from './base/user-namespace.ts';
import { foreignFiles, type ForeignFiles } from './foreign-files.ts';
import { applyChange } from './oci/apply-change.ts';
import { sha256Digest } from './oci/digest.ts';
import type { Layer } from './oci/image.ts';
import { decompressed } from './oci/layer-stream.ts';
import { hostPlatform } from './oci/platform.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { canonicalTar } from './oci/tar-writer.ts';
import { openImages, shareStore } from './open-tools.ts';

export interface ImportOptions extends Options {
  /** A root file system: a tar, plain or compressed, or a directory; absolute. Or the bytes of a tar. */
  readonly input: string | Readable;
  readonly name: string;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
  readonly message?: string;
}

export interface NewImage {
  readonly name: string;
  readonly id: string;
}

/** A root file system becomes an image of one layer. @throws UserError BAD_ARCHIVE, BAD_VALUE, IMAGE_NOT_FOUND when there is no such file */
export async function importImage(options: ImportOptions): Promise<NewImage> {
  const name = tagOf(options.name);
  const config = options.changes.reduce(applyChange, {});
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const source = typeof options.input === 'string' ? basename(options.input) : 'stdin';
  const task = { type: 'task', id: 'import', kind: 'image', title: `import ${source}` } as const;
  const started = performance.now();
  options.report({ ...task, state: 'started' });
  try {
    await using layer = await layerOf(options.input, join(tools.directories.cache, 'archives'), options);
    const top = await tools.store.add(layer, undefined, { signal: options.signal });
    const created = new Date().toISOString();
    const entry = {
      created,
      created_by: `devenv import ${source}`,
      ...(options.message === undefined ? {} : { comment: options.message }),
    };
    const composed = await composeImage({ top, platform: hostPlatform(), config, history: [entry], created }, tools.store);
    tools.images.set(composedRecord(name, composed, []));
    options.report({ ...task, state: 'done', seconds: (performance.now() - started) / 1000 });
    return { name: familiarName(name), id: composed.image.id };
  } catch (error) {
    options.report({ ...task, state: 'failed', seconds: (performance.now() - started) / 1000 });
    throw error;
  }
}

/** A complete name with a tag, as an image gets it. @throws UserError BAD_VALUE */
export function tagOf(text: string): string {
  const reference = parseReference(text);
  if (reference.digest !== undefined)
    throw new UserError('BAD_VALUE', 'A name that is given cannot hold a digest.', { hint: 'Write name:tag.' });
  return formatReference(reference);
}

/** What it is called by is known when it has been read once. */
async function layerOf(
  input: string | Readable,
  cache: string,
  { signal, report }: Pick<Options, 'signal' | 'report'>,
): Promise<Layer & AsyncDisposable> {
  if (typeof input !== 'string') {
    const spooled = await spool(decompressed(bytesOf(input)), cache, signal);
    return {
      ...(await measured(() => createReadStream('', { fd: spooled, start: 0, autoClose: false }))),
      [Symbol.asyncDispose]: async () => closeSync(spooled),
    };
  }
  const stats = statSync(input, { throwIfNoEntry: false });
  if (!stats) throw new UserError('IMAGE_NOT_FOUND', `There is no file or directory ${input}.`, { hint: 'Check the path.' });
  if (stats.isDirectory() && isMapped()) tellForeign(foreignFiles(input), report);
  const open = stats.isDirectory() ? () => canonicalTar(input) : () => Readable.from(decompressed(bytesOf(createReadStream(input))));
  return { ...(await measured(open)), [Symbol.asyncDispose]: async () => {} };
}

/** A normal user cannot see whose they are. */
function tellForeign({ count, examples }: ForeignFiles, report: Options['report']): void {
  if (count === 0) return;
  const names = `${examples.join(', ')}${count > examples.length ? ', …' : ''}`;
  report({
    type: 'notice',
    level: 'warning',
    message: `In the image ${count} of the files belong to nobody (65534), since they are not yours: ${names}. To keep owners import a tar that root or fakeroot made.`,
  });
}

async function measured(open: () => Readable): Promise<Layer> {
  const hash = createHash('sha256');
  for await (const chunk of open()) hash.update(chunk as Buffer);
  return { diffId: sha256Digest(hash.digest('hex')), open: async () => open() };
}

async function* bytesOf(stream: Readable): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield chunk as Buffer;
}

/** A file without a name, which ends with this process. */
async function spool(input: AsyncIterable<Buffer>, cache: string, signal: AbortSignal): Promise<number> {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const path = join(cache, `import-${randomBytes(6).toString('hex')}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  rmSync(path);
  for await (const chunk of input) {
    signal.throwIfAborted();
    for (let done = 0; done < chunk.length;) done += writeSync(descriptor, chunk, done);
  }
  return descriptor;
}
