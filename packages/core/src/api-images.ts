import type { Exit, Logs, Options } from './contract.ts';
import { atDisk } from './at-disk.ts';
import type { KeptContainer } from './containers.ts';
import type { LogOptions } from './engine/engine.ts';
import type { ImageSummary, RemovedImage } from './images.ts';
import type { LoadedImage, LoadOptions } from './load.ts';
import type { PullOptions, PullResult } from './pull.ts';
import type { RunImageOptions } from './run-image.ts';
import type { SaveOptions, SaveResult } from './save.ts';

export type * from './containers.ts';
export type * from './images.ts';
export type * from './load.ts';
export type * from './pull.ts';
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
export async function runImage(options: RunImageOptions): Promise<Exit & { readonly containerId: string }> {
  return atDisk(options, async () => (await import('./run-image.ts')).runImage(options));
}

/** The containers that `runImage` left; `all`: also those that do not run. */
export async function containers(options: Options & { readonly all?: boolean }): Promise<readonly KeptContainer[]> {
  return atDisk(options, async () => (await import('./containers.ts')).containers(options));
}

/** Idempotent: afterwards it runs. @throws UserError CONTAINER_NOT_FOUND, PORT_TAKEN */
export async function startContainer(options: Options & { readonly name: string }): Promise<KeptContainer> {
  return atDisk(options, async () => (await import('./containers.ts')).startContainer(options));
}

/** Idempotent: afterwards it does not run. @throws UserError CONTAINER_NOT_FOUND */
export async function stopContainer(options: Options & { readonly name: string }): Promise<KeptContainer> {
  return atDisk(options, async () => (await import('./containers.ts')).stopContainer(options));
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
