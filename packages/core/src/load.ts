import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { keepImage } from './keep-image.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { openImages, shareStore } from './open-tools.ts';
import { platformOf } from './pull.ts';
import { localImages } from './registry/local.ts';

export interface LoadOptions extends Options {
  /** An archive of docker save, an OCI archive, a layout's directory; absolute. Or the bytes of an archive. */
  readonly input: string | Readable;
  readonly platform?: string;
}

export interface LoadedImage {
  /** As people write them. */
  readonly names: readonly string[];
  readonly id: string;
  readonly layers: number;
  readonly reused: number;
}

/** Takes in every image of an archive or a layout, under its names there. @throws UserError IMAGE_NOT_FOUND, BAD_ARCHIVE, DIGEST_MISMATCH, … */
export async function load(options: LoadOptions): Promise<readonly LoadedImage[]> {
  const platform = platformOf(options.platform);
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const cache = join(tools.directories.cache, 'archives');
  const { input } = options;
  const path = typeof input === 'string' ? input : await spool(input, cache, options.signal);
  const place = typeof input === 'string' ? basename(input) : 'the archive on stdin';
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) throw new UserError('IMAGE_NOT_FOUND', `There is no file or directory ${path}.`, { hint: 'Check the path.' });
  const loaded: LoadedImage[] = [];
  for (const found of await localImages({ kind: stats.isDirectory() ? 'layout' : 'archive', path }, cache, place)) {
    const image = await found.get(platform);
    const whole = found.names.filter((name) => !isTag(name));
    const names = [...new Set((whole.length > 0 ? whole : found.names).flatMap((name) => nameOf(name, place)))];
    const kept = await keepImage(
      image,
      { names, title: names[0] === undefined ? image.id.slice(7, 19) : familiarName(names[0]) },
      tools,
      options,
    );
    loaded.push({ names: names.map(familiarName), id: image.id, layers: kept.layers, reused: kept.reused });
  }
  if (loaded.length === 0) throw new UserError('IMAGE_NOT_FOUND', `There is no image in ${place}.`, { hint: 'Check what wrote it.' });
  return loaded;
}

/** Layouts name images as they like: by a whole name, or by a tag only. */
function nameOf(text: string, place: string): string[] {
  const file = basename(place)
    .toLowerCase()
    .replace(/\.(?:tar|tgz|tar\.gz|tar\.zst)$/, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  try {
    return [formatReference(parseReference(isTag(text) ? `localhost/${file || 'image'}:${text}` : text))];
  } catch {
    return []; // no name that can be kept: it is known by its id
  }
}

function isTag(text: string): boolean {
  return /^(?:latest|v?[0-9][\w.-]*)$/.test(text);
}

/** A copy without a name, which ends with this process. */
async function spool(input: Readable, cache: string, signal: AbortSignal): Promise<string> {
  mkdirSync(cache, { recursive: true, mode: 0o700 });
  const path = join(cache, `stdin-${randomBytes(6).toString('hex')}`);
  const descriptor = openSync(path, 'wx+', 0o600);
  rmSync(path);
  try {
    for await (const chunk of input) {
      signal.throwIfAborted();
      const bytes = chunk as Buffer;
      for (let done = 0; done < bytes.length;) done += writeSync(descriptor, bytes, done);
    }
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  return `/proc/self/fd/${descriptor}`;
}
