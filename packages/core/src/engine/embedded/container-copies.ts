import { closeSync, constants, existsSync, fstatSync, lstatSync, openSync, readlinkSync } from 'node:fs';
import { basename, dirname, posix, resolve } from 'node:path';
import { getSystemErrorMessage } from 'node:util';
import { isDiskFull } from '../../base/disk-trouble.ts';
import { UserError } from '../../base/errors.ts';
import { isMissing } from '../../base/files.ts';
import { canonicalTar } from '../../oci/tar-writer.ts';
import type { CopyOptions } from '../engine.ts';
import { copyBetween, copyContent, type CopyBetweenOptions } from './copy-between.ts';
import { showTree } from './container-tree.ts';
import { swapOwner } from './id-swap.ts';
import type { StartContext } from './start-container.ts';
import { find } from './tree.ts';

/** A tar of a path inside, whatever links lead there. */
export async function* archiveOf(directory: string, path: string, context: StartContext): AsyncGenerator<Buffer> {
  await using shown = await showTree(directory, context);
  const clean = posix.resolve('/', path);
  using parent = find(shown.root, dirname(clean));
  const name = basename(clean);
  if (clean !== '/' && !(parent && lstatSync(`${parent.magic}/${name}`, { throwIfNoEntry: false }))) throw notThere(path);
  using place = find(shown.root, clean, { keepLink: true });
  if (!place) throw notThere(path);
  const within = clean === '/' ? '' : `${place.path.slice(1)}/`;
  const hollow = new Set([...shown.mounted].flatMap((point) => (point.startsWith(within) ? [point.slice(within.length)] : [])));
  if (place.stats.isDirectory()) yield* canonicalTar(place.magic, { prefix: clean === '/' ? '' : `${name}/`, hollow });
  else yield* canonicalTar(parent!.magic, { only: name });
}

interface Copying extends CopyOptions {
  readonly context: StartContext;
}

/** Both as `docker cp` has it: into a directory that is there, else under the new name; `DIR/.` is what is in DIR. */
export async function copyOut(directory: string, path: string, target: string, { context, ...options }: Copying): Promise<void> {
  await using shown = await showTree(directory, context);
  const [uid, gid] = [process.getuid!(), process.getgid!()];
  const ownerOf: CopyBetweenOptions['ownerOf'] = (owner) => (options.keepOwners ? swapOwner(shown.record.ids, owner) : { uid, gid });
  copy([inside(shown.root), rooted(path)], [host, linked(target)], { ...options, ownerOf });
}

export async function copyIn(directory: string, source: string, path: string, { context, ...options }: Copying): Promise<void> {
  await using shown = await showTree(directory, context);
  const ownerOf: CopyBetweenOptions['ownerOf'] = (owner) => swapOwner(shown.record.ids, options.keepOwners ? owner : { uid: 0, gid: 0 });
  copy([host, source], [inside(shown.root), rooted(path)], { ...options, ownerOf });
}

interface Opened extends Disposable {
  /** Names the open file, whatever has its name meanwhile. */
  readonly magic: string;
  /** Without links. */
  readonly path: string;
  readonly isDirectory: boolean;
}

/** One side of a copy: links are followed as it sees them. Undefined when there is nothing. */
type Side = (path: string) => Opened | undefined;

function copy(source: readonly [Side, string], target: readonly [Side, string], options: CopyBetweenOptions): void {
  try {
    copySides(source, target, options);
  } catch (error) {
    throw copyTrouble(source[1], target[1], error);
  }
}

function copyTrouble(source: string, target: string, error: unknown): unknown {
  const { code, errno, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  if (error instanceof UserError || code === undefined || syscall === undefined) return error;
  if (isDiskFull(error))
    return new UserError('DISK_FULL', `There is no space left for ${target}.`, { hint: 'Free some, and copy again.', cause: error });
  const why = errno === undefined ? code : getSystemErrorMessage(errno);
  return new UserError('NOT_WRITABLE', `${source} cannot be copied to ${target}: ${why} (${syscall}).`, {
    hint: 'Check who may read the one and write the other.',
    cause: error,
  });
}

function copySides([from, source]: readonly [Side, string], [to, target]: readonly [Side, string], options: CopyBetweenOptions): void {
  const wantsContent = /(?:^|\/)\.$/.test(source);
  const clean = posix.normalize(source).replace(/(?<=.)\/\.?$/, '');
  using parent = from(dirname(clean));
  const first = clean === '/' ? `${parent!.magic}/.` : `${parent?.magic}/${basename(clean)}`;
  if (!parent?.isDirectory || !lstatSync(first, { throwIfNoEntry: false })) throw notThere(source);
  using there = to(target);
  using opened = wantsContent || clean === '/' ? from(clean) : undefined;
  if (opened && there) {
    if (!opened.isDirectory || !there.isDirectory) throw new UserError('BAD_VALUE', `${source} or ${target} is no directory.`);
    return copyContent(opened.magic, there.magic, options);
  }
  if (there?.isDirectory) return copyBetween(first, `${there.magic}/${basename(clean)}`, options);
  if (!there && target.endsWith('/') && !lstatSync(first).isDirectory())
    throw new UserError('FILE_NOT_FOUND', `There is no directory ${target}.`, { hint: 'Make it, or leave the last / away.' });
  const place = there?.path ?? target.replace(/(?<=.)\/+$/, '');
  using folder = to(dirname(place));
  if (!folder?.isDirectory) throw new UserError('FILE_NOT_FOUND', `There is no directory ${dirname(place)}.`, { hint: 'Make it first.' });
  copyBetween(opened ? `${opened.magic}/.` : first, `${folder.magic}/${basename(place)}`, options);
}

function inside(root: string): Side {
  return (path) => {
    const place = find(root, path);
    return (
      place && {
        magic: place.magic,
        path: place.path,
        isDirectory: place.stats.isDirectory(),
        [Symbol.dispose]: () => place[Symbol.dispose](),
      }
    );
  };
}

const host: Side = (path) => {
  const pathOnly = 0o10000000; // O_PATH, which node:fs does not name
  let descriptor: number;
  try {
    descriptor = openSync(path, pathOnly | constants.O_RDONLY);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  const magic = `/proc/self/fd/${descriptor}`;
  return {
    magic,
    path: readlinkSync(magic),
    isDirectory: fstatSync(descriptor).isDirectory(),
    [Symbol.dispose]: () => closeSync(descriptor),
  };
};

/** As Docker: a link to what is not there yet says where to make it. */
function linked(target: string): string {
  if (existsSync(target)) return target;
  try {
    return resolve(dirname(target), readlinkSync(target));
  } catch {
    return target;
  }
}

/** As Docker: a path inside begins at the root, whether it says so or not. */
function rooted(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function notThere(path: string): UserError {
  return new UserError('FILE_NOT_FOUND', `There is no ${path}.`, { hint: 'Check the path.' });
}
