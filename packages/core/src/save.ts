import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { findImage, shownName } from './images.ts';
import { openImages, shareStore } from './open-tools.ts';
import { directoryOfImageFiles, tarOfImageFiles, type ImageFiles } from './registry/image-files.ts';
import { writeDockerArchive, writeLayout, type NamedOutput } from './registry/write-images.ts';
import { imageOf, type KeptImage } from './store/image-store.ts';
import { outputTrouble, writeOutput, type Output } from './write-output.ts';

export type SaveFormat = 'docker-archive' | 'oci-archive' | 'oci-layout';

export interface SaveOptions extends Options {
  readonly names: readonly string[];
  readonly format: SaveFormat;
  /** A file, or the directory of a layout; absolute. Or a stream that takes an archive. */
  readonly output: Output;
}

export interface SaveResult {
  readonly images: readonly string[];
  /** Bytes of the archives of its layers, uncompressed. */
  readonly bytes: number;
}

/** Writes images into an archive or a layout. A file has its name when it is whole. @throws UserError IMAGE_NOT_FOUND, BAD_VALUE, DISK_FULL */
export async function save(options: SaveOptions): Promise<SaveResult> {
  using _store = await shareStore(options);
  const { images, store, directories } = await openImages(options);
  const outputs = new Map<string, { readonly kept: KeptImage; readonly names: Set<string> }>();
  for (const text of options.names) {
    const kept = findImage(images, text);
    const known = outputs.get(kept.id) ?? { kept, names: new Set() };
    outputs.set(kept.id, known);
    // Who names it by its id wants no name in the archive.
    if (kept.name !== undefined && !/^(?:sha256:)?[0-9a-f]{3,64}$/.test(text)) known.names.add(kept.name);
  }
  const named: NamedOutput[] = [];
  for (const { kept, names } of outputs.values()) named.push({ image: await imageOf(kept, store), names: [...names] });

  const task = { type: 'task', id: 'save', kind: 'image', title: `save ${options.names.join(', ')}` } as const;
  const total = named.flatMap(({ image }) => image.layers).reduce((sum, { size }) => sum + (size ?? 0), 0);
  let bytes = 0;
  const write = options.format === 'docker-archive' ? writeDockerArchive : writeLayout;
  const writeTo = (files: ImageFiles): Promise<void> =>
    write(named, files, {
      signal: options.signal,
      cache: join(directories.cache, 'archives'),
      onBytes(count) {
        bytes += count;
        options.report({ type: 'transfer', id: task.id, bytes, total });
      },
    });
  const started = performance.now();
  options.report({ ...task, state: 'started' });
  const end = (state: 'done' | 'failed'): void => options.report({ ...task, state, seconds: (performance.now() - started) / 1000 });
  try {
    await writeImages(options, writeTo);
  } catch (error) {
    end('failed');
    throw error;
  }
  end('done');
  return { images: [...outputs.values()].map(({ kept }) => shownName(kept) ?? kept.id), bytes };
}

async function writeImages({ format, output, signal }: SaveOptions, writeTo: (files: ImageFiles) => Promise<void>): Promise<void> {
  if (format !== 'oci-layout') return writeOutput(output, (write) => writeTo(tarOfImageFiles(async (bytes) => write(bytes))), signal);
  if (typeof output !== 'string') throw new UserError('USAGE', 'A layout is a directory.', { hint: 'Name it: --output DIRECTORY' });
  try {
    if (listed(output).length > 0)
      throw new UserError('BAD_VALUE', `${output} is not empty.`, { hint: 'Name a directory that is empty, or that does not exist yet.' });
    await writeTo(directoryOfImageFiles(output));
  } catch (error) {
    const { path } = error as NodeJS.ErrnoException;
    throw path === undefined || path.startsWith(output) ? outputTrouble(output, error) : error; // it may be the store's
  }
}

/** @throws UserError BAD_VALUE when it is no directory */
function listed(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return [];
    if (code === 'ENOTDIR') throw new UserError('BAD_VALUE', `${directory} is no directory.`, { hint: 'A layout is one: name another.' });
    throw error;
  }
}
