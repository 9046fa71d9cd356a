import type { Readable, Writable } from 'node:stream';
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { idMapping } from './base/user-namespace.ts';
import { chooseContainer } from './choose-container.ts';
import type { Container } from './engine/engine.ts';
import { decompressed } from './oci/layer-stream.ts';
import { openImages, placesOf } from './open-tools.ts';
import type { LayerId, LayerStore } from './store/layer-store.ts';
import { unpackTree } from './store/unpack-layer.ts';
import { unheldFiles } from './unheld-files.ts';
import { writeOutput, type Output } from './write-output.ts';

export interface ExportOptions extends Options {
  /** Of a container; undefined: this folder's environment. */
  readonly name?: string;
  /** An absolute path, or a stream. */
  readonly output: Output;
}

/** Writes a container's file system as a tar, without what is mounted in it. Gives the bytes written. */
export async function exportContainer(options: ExportOptions): Promise<{ readonly bytes: number }> {
  const { container } = await chooseContainer(options, options.name);
  const bytes = await writeTar(container.archive('/'), options);
  await tellUnheld(container, options);
  return { bytes };
}

/** What its layers hold and this user's files do not is missing in an archive of the files. Reads the layers' archives. */
async function tellUnheld(container: Container, options: Options): Promise<void> {
  const { kind, count } = idMapping();
  if (kind !== 'range' && kind !== 'single') return;
  const { store } = await openImages(options);
  const ids: LayerId[] = [];
  for (let next = container.layer; next !== undefined; next = (await store.info(next))?.parent) ids.unshift(next);
  const unheld = await unheldFiles(
    ids.map((id) => archiveOf(id, store, options.signal)),
    count,
  );
  if (unheld.length === 0) return;
  const names = `${unheld.slice(0, 3).join(', ')}${unheld.length > 3 ? ` and ${unheld.length - 3} more` : ''}`;
  options.report({
    type: 'notice',
    level: 'warning',
    message: `The archive lacks device nodes and owners that a normal user cannot hold: ${names}. devenv commit, then devenv save keep them.`,
  });
}

/** Empty when an older devenv has kept none. */
async function* archiveOf(id: LayerId, store: LayerStore, signal: AbortSignal): AsyncGenerator<Buffer> {
  const layer = await store.open(id).catch((error: unknown) => {
    if (error instanceof UserError && error.code === 'NOT_SUPPORTED') return undefined;
    throw error;
  });
  for await (const chunk of (await layer?.open({})) ?? []) {
    signal.throwIfAborted();
    yield chunk as Buffer;
  }
}

export interface CopyPlace {
  /** Name of a container; empty: this folder's environment. Undefined: this machine. */
  readonly container: string | undefined;
  /** Inside, or absolute on this machine. */
  readonly path: string;
}

export interface CopyFilesOptions extends Options {
  /** A stream is a tar of what is to be copied, or takes one. */
  readonly from: CopyPlace | Readable;
  readonly to: CopyPlace | Writable;
  readonly keepOwners: boolean;
}

/** Copies between a container, running or not, and this machine; exactly one of the two sides is a container. */
export async function copyFiles(options: CopyFilesOptions): Promise<void> {
  const { from, to, keepOwners } = options;
  const left: string[] = [];
  const choices = { keepOwners, onLeftOut: (name: string) => left.push(name) };
  const source = isPlace(from) && from.container !== undefined ? from : undefined;
  const target = isPlace(to) && to.container !== undefined ? to : undefined;
  if ((source === undefined) === (target === undefined))
    throw new UserError('USAGE', 'One of the two sides, and only one, has to be a container.', {
      hint: 'Write devenv cp web:/etc/hosts . or devenv cp . :/srv',
    });
  const { container } = await chooseContainer(options, source?.container || target?.container || undefined);
  if (source && isPlace(to)) await container.copyOut(source.path, to.path, choices);
  else if (source) await writeTar(container.archive(source.path), { output: to as Writable, signal: options.signal });
  else if (isPlace(from)) await container.copyIn(from.path, target!.path, choices);
  else await unpacked(from, options, async (folder) => container.copyIn(`${folder}/.`, target!.path, { ...choices, keepOwners: true }));
  if (left.length > 0)
    options.report({ type: 'notice', level: 'warning', message: `Left out, since only files are copied: ${left.slice(0, 10).join(', ')}` });
}

function isPlace(side: CopyPlace | Readable | Writable): side is CopyPlace {
  return 'path' in side && 'container' in side;
}

/** A tar lies unpacked in a folder of ours while `work` goes on. */
async function unpacked(tar: Readable, options: Options, work: (folder: string) => Promise<void>): Promise<void> {
  const parent = join(placesOf(options).cache, 'archives');
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(parent, 'copy-'));
  try {
    await unpackTree(decompressed(bytesOf(tar)), folder, options.signal);
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function* bytesOf(stream: Readable): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield chunk as Buffer;
}

async function writeTar(
  tar: AsyncIterable<Buffer>,
  { output, signal }: { readonly output: Output; readonly signal: AbortSignal },
): Promise<number> {
  let bytes = 0;
  await writeOutput(
    output,
    async (write) => {
      for await (const chunk of tar) {
        signal.throwIfAborted();
        bytes += chunk.length;
        await write(chunk);
      }
    },
    signal,
  );
  return bytes;
}
