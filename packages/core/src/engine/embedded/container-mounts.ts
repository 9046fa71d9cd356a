import { chmodSync, chownSync, closeSync, constants, existsSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Directories } from '../../base/directories.ts';
import { UserError, unreachable } from '../../base/errors.ts';
import type { Report } from '../../base/events.ts';
import { readJson } from '../../base/files.ts';
import { lock } from '../../base/locks.ts';
import { cloneMount, mount as mountFileSystem, mountFlags, syncTree } from '../../base/system-calls.ts';
import { copyTree } from '../../store/copy-tree.ts';
import { editorPath, type ContainerSpec, type Mount } from '../engine.ts';
import { writeJson, type ContainerFiles } from './container-files.ts';
import { swapOwner, type IdSwap } from './id-swap.ts';
import { mountOwned } from './idmap.ts';
import { makeMountPoint, makeMountPointInside } from './mount-point.ts';
import type { OciMount } from './runtime-config.ts';
import { copyProperties } from './storage/copy-entry.ts';
import { copyTree as copyShown } from './storage/copy-tree.ts';
import { findInLayers } from './storage/find-in-layers.ts';
import type { StorageDriver } from './storage/storage-driver.ts';
import type { Owner } from './tree.ts';
import { lookUpUser } from './user.ts';
import { volumeDraft, volumeIdsFile, volumeLock, volumesDirectory } from './volumes.ts';

export interface MountContext {
  readonly files: ContainerFiles;
  readonly spec: ContainerSpec;
  readonly directories: Directories;
  /** The image's layers, topmost first, at least one. */
  readonly layers: readonly string[];
  /** The container's user, as outside. */
  readonly owner: Owner;
  readonly ids: IdSwap | undefined;
  readonly driver: StorageDriver;
  readonly report: Report;
}

/** A mount that is ready: what the runtime is told, and the directory that shows what will be inside it. */
interface Ready {
  readonly mount: OciMount;
  readonly target: string;
  /** Where mount points inside it are made. */
  readonly content: string;
}

/**
 * Makes everything that a container's mounts stand on, in our mount namespace, and returns them as the runtime wants them:
 * outer ones first. Mount points exist afterwards, so that the runtime creates nothing.
 */
export async function prepareMounts(context: MountContext): Promise<readonly OciMount[]> {
  const ready: Ready[] = [];
  const sorted = context.spec.mounts
    .map((mount, number) => ({ mount, number }))
    .toSorted((a, b) => depth(a.mount.target) - depth(b.mount.target));
  const own = ownMounts(context);
  const root = swapOwner(context.ids, { uid: 0, gid: 0 });
  for (const { destination, source } of own.filter((each) => each.destination !== editorPath))
    makeMountPoint(context.files.rootfs, destination, isFile(source) ? 'file' : 'directory', { owner: root });
  for (const { mount, number } of sorted) {
    const next = await prepare(mount, join(context.files.mounts, String(number)), context);
    const outer = ready.findLast(({ target }) => mount.target.startsWith(`${target}/`));
    const kind = isFile(next.mount.source) ? 'file' : 'directory';
    if (!outer) makeMountPoint(context.files.rootfs, mount.target, kind, { owner: root });
    else makeMountPointInside(outer, mount.target, kind);
    ready.push(next);
  }
  // A mount of the user's over one of ours, or over what holds it, must not hide it.
  return [...ready.map(({ mount }) => mount), ...own].toSorted((a, b) => depth(a.destination) - depth(b.destination));
}

/** @throws UserError MOUNT_SOURCE_MISSING, BAD_VALUE */
export function checkMounts(mounts: readonly Mount[]): void {
  for (const mount of mounts) {
    if (!mount.target.startsWith('/') || mount.target === '/')
      throw new UserError('BAD_VALUE', `a mount needs an absolute target below /: ${JSON.stringify(mount.target)}`);
    if (mount.type === 'bind' && !existsSync(mount.source))
      throw new UserError('MOUNT_SOURCE_MISSING', `${mount.source} is mounted at ${mount.target}, but it does not exist on this machine`, {
        hint: 'make it, or mark the mount "optional": true',
      });
    if (mount.type === 'volume' && !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(mount.name))
      throw new UserError('BAD_VALUE', `a volume cannot be named ${JSON.stringify(mount.name)}`);
  }
}

function prepare(mount: Mount, place: string, context: MountContext): Promise<Ready> | Ready {
  switch (mount.type) {
    case 'bind':
      return prepareBind(mount, place, context);
    case 'volume':
      return prepareVolume(mount, place, context);
    case 'tmpfs':
      return prepareTmpfs(mount, place);
    case 'output':
      return prepareOutput(mount, place, context);
    default:
      return unreachable(mount);
  }
}

async function prepareBind(mount: Extract<Mount, { type: 'bind' }>, place: string, { files, ids, report }: MountContext): Promise<Ready> {
  const outside = statSync(mount.source);
  const inside = mount.ownedBy === undefined ? outside : swapOwner(ids, lookUpUser(files.rootfs, mount.ownedBy));
  const isOwned = inside.uid !== outside.uid || inside.gid !== outside.gid;
  if (!isOwned && !mount.readonly) return { ...bound(mount.source, mount.target), content: mount.source };
  makePlace(place, !outside.isDirectory()); // a socket is bound like a file
  const swap = [
    { uid: outside.uid, gid: outside.gid },
    { uid: inside.uid, gid: inside.gid },
  ] as const;
  if (isOwned && (await mountOwned({ source: mount.source, target: place, readonly: mount.readonly, swap })))
    return { ...bound(place, mount.target, mount.readonly), content: mount.source };
  if (isOwned) {
    report({
      type: 'notice', level: 'warning',
      message: `the file system of ${mount.source} cannot show its files as owned by ${mount.ownedBy} at ${mount.target}`,
      hint: `inside, they belong to uid ${outside.uid}`,
    }); // prettier-ignore
  }
  cloneMount(mount.source, place, { readonly: mount.readonly });
  return { ...bound(place, mount.target, mount.readonly), content: mount.source };
}

async function prepareVolume(mount: Extract<Mount, { type: 'volume' }>, place: string, context: MountContext): Promise<Ready> {
  const volume = join(volumesDirectory(context.directories), mount.name);
  using _held = await lock(volumeLock(context.directories, mount.name));
  finishExchange(volume, context.directories);
  if (!existsSync(volume)) await makeVolume(volume, mount.target, context);
  exchangeOwners(volume, context);
  if (!mount.readonly) return { ...bound(volume, mount.target), content: volume };
  makePlace(place, false);
  cloneMount(volume, place, { readonly: true });
  return { ...bound(place, mount.target, true), content: volume };
}

/** A volume outlives its container, whose successor may have another user, and so other ids that change places. */
function exchangeOwners(volume: string, { directories, ids }: MountContext): void {
  const [file, at] = [volumeIdsFile(directories, basename(volume)), volumeDraft(directories, basename(volume))];
  const before = readJson<IdSwap>(file);
  if (isDeepStrictEqual(before, ids)) return;
  rmSync(at.folder, { recursive: true, force: true });
  mkdirSync(at.folder, { recursive: true, mode: 0o700 });
  copyTree(volume, at.made, (owner) => swapOwner(ids, swapOwner(before, owner)), false);
  writeJson(at.ids, ids ?? {});
  syncTree(at.folder);
  renameSync(volume, at.former); // from here on it is finished, by us or by the next who wants the volume
  finishExchange(volume, directories);
}

/** Goes on where somebody was killed: `former` is there from the moment that the copy is whole. */
function finishExchange(volume: string, directories: Directories): void {
  const [file, at] = [volumeIdsFile(directories, basename(volume)), volumeDraft(directories, basename(volume))];
  if (!existsSync(at.former)) return;
  if (!existsSync(volume)) renameSync(at.made, volume);
  const ids = readJson<Partial<IdSwap>>(at.ids);
  if (ids?.uid) writeJson(file, ids);
  else rmSync(file, { force: true });
  rmSync(at.folder, { recursive: true, force: true });
}

/** What the image has at the place, owners and modes included; a new directory of the container's user when it has nothing. */
async function makeVolume(volume: string, target: string, context: MountContext): Promise<void> {
  const { folder, made } = volumeDraft(context.directories, basename(volume));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(made, { recursive: true, mode: 0o700 });
  const original = findInLayers(context.layers, target);
  if (original?.stats.isDirectory()) {
    await copyShown(original.folders, made, { links: new Map() });
    copyProperties(original.path, original.stats, made);
  } else {
    chownSync(made, context.owner.uid, context.owner.gid);
    chmodSync(made, 0o755);
  }
  const ids = volumeIdsFile(context.directories, basename(volume));
  if (context.ids) writeJson(ids, context.ids);
  else rmSync(ids, { force: true }); // of a former one
  mkdirSync(dirname(volume), { recursive: true, mode: 0o700 });
  renameSync(made, volume);
  rmSync(folder, { recursive: true, force: true });
}

/** Mounted by us and bound: runtimes differ in the mode that they give one. */
function prepareTmpfs({ target, size }: Extract<Mount, { type: 'tmpfs' }>, place: string): Ready {
  makePlace(place, false);
  mountFileSystem('tmpfs', place, 'tmpfs', mountFlags.nosuid | mountFlags.nodev, `mode=1777${size === undefined ? '' : `,size=${size}`}`);
  return { ...bound(place, target), content: place };
}

/** The upper directory stays in the container's directory: a stopped container that starts again finds its changes. */
async function prepareOutput(mount: Extract<Mount, { type: 'output' }>, place: string, context: MountContext): Promise<Ready> {
  const { files, layers, driver } = context;
  const folder = join(files.outputs, place.slice(files.mounts.length));
  const [upper, work] = [join(folder, 'upper'), join(folder, 'work')];
  const original = findInLayers(layers, mount.source);
  const { uid, gid, mode } = original?.stats.isDirectory() ? original.stats : { ...context.owner, mode: 0o755 };
  if (!existsSync(work)) {
    mkdirSync(upper, { recursive: true });
    chownSync(upper, Number(uid), Number(gid));
    chmodSync(upper, Number(mode) & 0o7777);
    mkdirSync(work); // the last: its being there says that the other is as it should be
  }
  makePlace(place, false);
  await driver.mount({ layers: original?.folders ?? [], upper, work, target: place });
  return { ...bound(place, mount.target), content: place };
}

/** The runtime sets flags anew on what it binds: it has to hear `ro` although the source is read-only already. */
function bound(source: string, target: string, readonly = false): Pick<Ready, 'mount' | 'target'> {
  return { mount: { destination: target, type: 'bind', source, options: ['rbind', 'rprivate', ...(readonly ? ['ro'] : [])] }, target };
}

/** What every container gets: the init, the names of hosts, the way to the resolver; one that stays also the editors' servers. */
function ownMounts({ files, spec, directories }: MountContext): readonly OciMount[] {
  const taken = new Set(spec.mounts.map(({ target }) => target));
  const network = ['hosts', 'hostname', 'resolv.conf'].map((name) => [join(files.etc, name), `/etc/${name}`, []] as const);
  const closed = ['ro', 'nosuid', 'nodev'] as const;
  return [
    [files.run, '/run/devenv', closed] as const,
    ...(spec.ephemeral ? [] : [[makeEditorPlace(files, directories), editorPath, closed] as const]),
    ...network,
  ]
    .filter(([, target]) => !taken.has(target))
    .map(([source, destination, options]) => ({ destination, type: 'bind', source, options: ['rbind', 'rprivate', ...options] }));
}

/** The folder itself is mounted, not what is in it: a server that is fetched later appears in containers that run already. */
function makeEditorPlace({ run }: ContainerFiles, { editor }: Directories): string {
  mkdirSync(editor, { recursive: true, mode: 0o755 });
  mkdirSync(join(run, basename(editorPath)), { recursive: true, mode: 0o755 });
  return editor;
}

function makePlace(path: string, asFile: boolean): void {
  mkdirSync(asFile ? join(path, '..') : path, { recursive: true, mode: 0o700 });
  if (asFile) closeSync(openSync(path, constants.O_CREAT | constants.O_WRONLY, 0o600));
}

function isFile(path: string): boolean {
  return !statSync(path).isDirectory();
}

function depth(path: string): number {
  return path.split('/').filter(Boolean).length;
}
