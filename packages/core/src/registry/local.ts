import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { sha256 } from '../base/canonical-json.ts';
import { UserError } from '../base/errors.ts';
import { DocumentError, documentLimit } from '../oci/document.ts';
import type { Image } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import type { Reference } from '../oci/reference.ts';
import { archiveFiles } from './archive-files.ts';
import type { NamedImage, Wanted } from './choose-image.ts';
import { contentRegistry, type Words } from './content-registry.ts';
import { dockerArchiveContent, savedImages } from './docker-archive.ts';
import { layoutContent, layoutImages } from './layout.ts';
import { directoryFiles, openRegular, type LocalFiles } from './local-files.ts';
import type { Registry } from './registry.ts';

/** An image that lies on this machine: `archive`, what docker save wrote or an OCI archive; `layout`, an OCI image layout. */
export interface LocalSource {
  readonly kind: 'archive' | 'layout';
  /** Absolute; `#name` behind it says which of several images is meant. */
  readonly path: string;
}

/** What every local source calls its image: which it is, the source says. */
export const localReference: Reference = { registry: 'localhost', repository: 'image', tag: undefined, digest: undefined };

/**
 * A registry of the one image that is meant. A plain archive and a layout are read where they lie.
 * @throws UserError IMAGE_NOT_FOUND, BAD_ARCHIVE, DISK_FULL
 */
export async function localRegistry(source: LocalSource, cache: string): Promise<Registry> {
  const { path, name } = locate(source);
  const place = basename(path);
  return explaining(place, async () => registryOf(await openFiles(source.kind, path, cache), { name, place }));
}

/** An image of several, as it lies there. */
export interface LocalImage {
  /** As written there; none when it has no name. */
  readonly names: readonly string[];
  get(platform: Platform): Promise<Image>;
}

/**
 * Every image of an archive or a layout. `path` names no one of them; `place` is for people.
 * @throws UserError IMAGE_NOT_FOUND, BAD_ARCHIVE, DISK_FULL
 */
export async function localImages(
  source: LocalSource,
  cache: string,
  place: string = basename(source.path),
): Promise<readonly LocalImage[]> {
  return explaining(place, async () => {
    const files = await openFiles(source.kind, source.path, cache);
    const found: readonly NamedImage[] = isLayout(files) ? await layoutImages(files) : await savedImages(files);
    // Several of the same names are one image for several platforms.
    const groups = Map.groupBy(found, ({ names, digest }) => (names.length === 0 ? digest : names.join(' ')));
    return [...groups.values()].map((group) => {
      const { names, digest } = group[0]!;
      const name = group.length === 1 ? digest : names[0];
      return {
        names,
        get: async (platform) => explaining(place, async () => (await registryOf(files, { name, place })).get(localReference, platform)),
      };
    });
  });
}

async function openFiles(kind: LocalSource['kind'], path: string, cache: string): Promise<LocalFiles> {
  return kind === 'layout' ? directoryFiles(path) : archiveFiles(path, cache);
}

/** Docker since 25 writes both forms into one archive: of them the OCI form says the digests, too. */
function isLayout(files: LocalFiles): boolean {
  return files.size('oci-layout') !== undefined || files.size('index.json') !== undefined;
}

async function registryOf(files: LocalFiles, wanted: Wanted): Promise<Registry> {
  const content = isLayout(files) ? await layoutContent(files, wanted) : await dockerArchiveContent(files, wanted);
  return contentRegistry(content, words(wanted.place));
}

async function explaining<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof DocumentError ? unusable(place, error.message) : error;
  }
}

/** Changes whenever the image may have changed. @throws UserError IMAGE_NOT_FOUND when nothing is there. */
export function localStamp(source: LocalSource): string {
  const { path } = locate(source);
  // A layout's index names all that is in it by digest.
  if (source.kind === 'layout') {
    using index = openRegular(join(path, 'index.json'));
    if (!index || index.size > documentLimit) throw unusable(basename(path), 'its index.json is no file, or too long');
    return sha256(readFileSync(index.descriptor));
  }
  const { size, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true });
  return `${size} ${mtimeNs} ${ctimeNs} ${ino}`;
}

/** A `#` may also belong to the name of a file: the shortest path that exists is it. */
function locate({ kind, path }: LocalSource): { readonly path: string; readonly name: string | undefined } {
  const parts = path.split('#');
  for (let count = 1; count <= parts.length; count++) {
    const candidate = parts.slice(0, count).join('#');
    if (!statSync(candidate, { throwIfNoEntry: false })) continue;
    const name = parts.slice(count).join('#');
    const found = { path: candidate, name: name === '' ? undefined : name };
    const isDirectory = statSync(candidate).isDirectory();
    if (kind === 'layout' ? isDirectory && existsSync(join(candidate, 'index.json')) : !isDirectory) return found;
    throw new UserError('IMAGE_NOT_FOUND', `${candidate} is no ${kind === 'layout' ? 'OCI image layout' : 'archive'}.`, {
      hint:
        kind === 'layout'
          ? 'A layout is a directory with the files oci-layout and index.json. A tar file is named as { "archive": … }.'
          : 'An archive is a tar file made by docker save, or an OCI archive. A directory is named as { "layout": … }.',
    });
  }
  throw new UserError('IMAGE_NOT_FOUND', `There is no ${kind === 'layout' ? 'OCI layout' : 'archive'} ${parts[0]}.`, {
    hint: `Check "image" in devenv.json; paths are relative to its folder. ${
      kind === 'layout' ? 'skopeo copy … oci:DIRECTORY' : 'docker save -o FILE'
    } makes one.`,
  });
}

function words(place: string): Words {
  return {
    name: () => place,
    notFound: () =>
      new UserError('IMAGE_NOT_FOUND', `${place} no longer holds the image that it held.`, {
        hint: 'It has changed meanwhile: try again.',
      }),
    unusable: (_reference, why) => unusable(place, why),
  };
}

function unusable(place: string, why: string): UserError {
  return new UserError('BAD_ARCHIVE', `${place} cannot be used: ${why}.`, {
    hint: 'It is damaged or incomplete. Write it again with docker save or skopeo copy.',
  });
}
