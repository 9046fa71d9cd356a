import type { BuildOptions, BuildResult, Logs, Options } from './contract.ts';
import { atDisk } from './at-disk.ts';
import type { CommitImageOptions } from './commit.ts';
import type { KeptContainer } from './containers.ts';
import type { CopyFilesOptions, ExportOptions } from './copy.ts';
import type { DiffOptions, DiffResult } from './diff.ts';
import type { LogOptions } from './engine/engine.ts';
import type { ImageSummary, RemovedImage } from './images.ts';
import type { ImportOptions, NewImage } from './import-image.ts';
import type { HistoryLine } from './inspect.ts';
import type { LoadedImage, LoadOptions } from './load.ts';
import type { PullOptions, PullResult } from './pull.ts';
import type { PushOptions, PushResult } from './push.ts';
import type { FoundRepository, StoredCredentials } from './registry/registry.ts';
import type { RunImageOptions, RunResult } from './run-image.ts';
import type { SaveOptions, SaveResult } from './save.ts';

export type * from './commit.ts';
export type * from './containers.ts';
export type * from './copy.ts';
export type * from './diff.ts';
export type * from './images.ts';
export type * from './import-image.ts';
export type * from './inspect.ts';
export type * from './load.ts';
export type * from './pull.ts';
export type * from './push.ts';
export type { FoundRepository, StoredCredentials } from './registry/registry.ts';
export type * from './run-image.ts';
export type * from './save.ts';

// What is done with images. As in api.ts: each operation loads what it needs when it is called.

/** Every name on this machine, newest first. */
export async function images(options: Options & { readonly filter?: string }): Promise<readonly ImageSummary[]> {
  return atDisk(options, async () => (await import('./images.ts')).images(options));
}

/** Asks the registry what the name means now, and fetches what is not here. @throws UserError those of a registry */
export async function pull(options: PullOptions): Promise<PullResult> {
  return atDisk(options, async () => (await import('./pull.ts')).pull(options));
}

/** Afterwards `name` means what `source` means now. @throws UserError IMAGE_NOT_FOUND, BAD_VALUE */
export async function tag(options: Options & { readonly source: string; readonly name: string }): Promise<{ name: string; id: string }> {
  return atDisk(options, async () => (await import('./images.ts')).tag(options));
}

/** Takes names away. @throws UserError IMAGE_NOT_FOUND, IMAGE_IN_USE */
export async function removeImages(
  options: Options & { readonly names: readonly string[]; readonly force?: boolean },
): Promise<readonly RemovedImage[]> {
  return atDisk(options, async () => (await import('./images.ts')).removeImages(options));
}

/** Writes images into an archive or a layout. @throws UserError IMAGE_NOT_FOUND, BAD_VALUE */
export async function save(options: SaveOptions): Promise<SaveResult> {
  return atDisk(options, async () => (await import('./save.ts')).save(options));
}

/** Takes in every image of an archive or a layout. @throws UserError IMAGE_NOT_FOUND, BAD_ARCHIVE, DIGEST_MISMATCH */
export async function load(options: LoadOptions): Promise<readonly LoadedImage[]> {
  return atDisk(options, async () => (await import('./load.ts')).load(options));
}

/** Whether a devenv.json is meant here: else `run` speaks of an image. */
export async function hasConfig(options: Options): Promise<boolean> {
  return (await import('./config/find-config.ts')).findConfig(options) !== undefined;
}

/** Runs a command in a new container of an image. @throws UserError IMAGE_NOT_FOUND, PORT_TAKEN, COMMAND_NOT_FOUND, … */
export async function runImage(options: RunImageOptions): Promise<RunResult> {
  return atDisk(options, async () => (await import('./run-image.ts')).runImage(options));
}

/** The containers that `runImage` left; `all`: also those that do not run. */
export async function containers(options: Options & { readonly all?: boolean }): Promise<readonly KeptContainer[]> {
  return atDisk(options, async () => (await import('./containers.ts')).containers(options));
}

/** Idempotent: afterwards they run. @throws UserError CONTAINER_NOT_FOUND, PORT_TAKEN */
export async function startContainers(options: Options & { readonly names: readonly string[] }): Promise<readonly KeptContainer[]> {
  return atDisk(options, async () => (await import('./containers.ts')).startContainers(options));
}

/** Idempotent: afterwards they do not run. @throws UserError CONTAINER_NOT_FOUND */
export async function stopContainers(options: Options & { readonly names: readonly string[] }): Promise<readonly KeptContainer[]> {
  return atDisk(options, async () => (await import('./containers.ts')).stopContainers(options));
}

/** @throws UserError CONTAINER_NOT_FOUND, CONTAINER_RUNNING unless `force` */
export async function removeContainers(
  options: Options & { readonly names: readonly string[]; readonly force?: boolean },
): Promise<readonly KeptContainer[]> {
  return atDisk(options, async () => (await import('./containers.ts')).removeContainers(options));
}

/** What a container's command has written. @throws UserError CONTAINER_NOT_FOUND */
export async function containerLogs(options: Options & LogOptions & { readonly name: string }): Promise<Logs> {
  return atDisk(options, async () => (await import('./containers.ts')).containerLogs(options));
}

/** Builds, and gives what it made a name. */
export async function buildImage(options: BuildOptions & { readonly name: string }): Promise<BuildResult & NewImage> {
  return atDisk(options, async () => (await import('./tag-build.ts')).buildImage(options));
}

/** Sends an image to the registry that its name says. @throws UserError IMAGE_NOT_FOUND and those of a registry */
export async function push(options: PushOptions): Promise<PushResult> {
  return atDisk(options, async () => (await import('./push.ts')).push(options));
}

/** A root file system becomes an image of one layer. @throws UserError BAD_ARCHIVE, BAD_VALUE */
export async function importImage(options: ImportOptions): Promise<NewImage> {
  return atDisk(options, async () => (await import('./import-image.ts')).importImage(options));
}

/** How an image was made, the latest first. @throws UserError IMAGE_NOT_FOUND */
export async function history(options: Options & { readonly name: string }): Promise<readonly HistoryLine[]> {
  return (await import('./inspect.ts')).history(options);
}

/** All that is known of images, kept containers and environments. @throws UserError IMAGE_NOT_FOUND */
export async function inspect(options: Options & { readonly names: readonly string[] }): Promise<readonly object[]> {
  return (await import('./inspect.ts')).inspect(options);
}

/** Keeps credentials that the registry takes. @throws UserError REGISTRY_DENIED, NOT_WRITABLE */
export async function login(
  options: Options & { readonly registry?: string; readonly user: string; readonly password: string },
): Promise<StoredCredentials & { readonly registry: string }> {
  return (await import('./registry-account.ts')).login(options);
}

/** Forgets the credentials of a registry. */
export async function logout(
  options: Options & { readonly registry?: string },
): Promise<{ readonly registry: string; readonly places: readonly StoredCredentials[] }> {
  return (await import('./registry-account.ts')).logout(options);
}

/** Repositories whose name has the text: of Docker Hub, or of `host/text`. @throws UserError NOT_SUPPORTED */
export async function search(options: Options & { readonly text: string; readonly limit?: number }): Promise<readonly FoundRepository[]> {
  return (await import('./registry-account.ts')).search(options);
}

/** Every tag of a repository. @throws UserError IMAGE_NOT_FOUND */
export async function tags(options: Options & { readonly repository: string }): Promise<readonly string[]> {
  return (await import('./registry-account.ts')).tags(options);
}

/** The running environment, or a container, as it was changed by hand becomes an image. */
export async function commitImage(options: CommitImageOptions): Promise<NewImage> {
  return atDisk(options, async () => (await import('./commit.ts')).commitImage(options));
}

/** Writes a container's file system as a tar. @throws UserError CONTAINER_NOT_FOUND, NOT_RUNNING */
export async function exportContainer(options: ExportOptions): Promise<{ readonly bytes: number }> {
  return atDisk(options, async () => (await import('./copy.ts')).exportContainer(options));
}

/** Copies files between a container and this machine. @throws UserError FILE_NOT_FOUND, BAD_VALUE */
export async function copyFiles(options: CopyFilesOptions): Promise<void> {
  return atDisk(options, async () => (await import('./copy.ts')).copyFiles(options));
}

/** What two environments, images or archives differ in. @throws UserError USAGE, NOT_RUNNING, NOT_BUILT, IMAGE_NOT_FOUND, … */
export async function diff(options: DiffOptions): Promise<DiffResult> {
  return atDisk(options, async () => (await import('./diff.ts')).diff(options));
}
