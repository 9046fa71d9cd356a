import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, utimesSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Directories } from '../base/directories.ts';
import { UserError } from '../base/errors.ts';
import { isMissing, readJson, writeFileAtomically } from '../base/files.ts';
import { lock, lockFolderNow, lockHolders, makeLockedFolder, type LockedFolder } from '../base/locks.ts';
import { syncFileSystem } from '../base/system-calls.ts';
import { overlayAttributes } from '../base/user-namespace.ts';
import { chainIdOf } from '../oci/chain-id.ts';
import { sha256Digest, type Digest } from '../oci/digest.ts';
import type { Layer } from '../oci/image.ts';
import type { StepKey } from '../oci/step-key.ts';
import { canonicalTar } from '../oci/tar-writer.ts';
import { verified } from '../oci/verify.ts';
import { formatFileList, listFiles, type ListedFile } from './file-list.ts';
import type { AddOptions, CommitOptions, Draft, LayerId, LayerInfo, LayerStore, StepCache, StepRecord } from './layer-store.ts';
import { isLayerId, isLayerInfo, isStepRecord } from './kept-records.ts';
import { defaultEpoch, normalise } from './normalise.ts';
import { hasRecord, recordedTar, TarRecorder, type RecordPlace } from './tar-record.ts';
import { unpackLayer } from './unpack-layer.ts';

/** The layout of the data directory. A newer one is refused; an older one will be migrated. */
const storeFormat = 1;

/**
 * Layers as directories on disk, ready to be lower directories of overlayfs:
 *   FORMAT                the number above
 *   layers/ID/            the change set
 *   layer-info/ID.json    LayerInfo; the layer exists when both are there
 *   layer-info/ID.files   the layer's file list, one JSON object a line
 *   layer-info/ID.tar     of a pulled layer: what makes its archive again (tar-record.ts), with ID.replaced/
 *   drafts/ID/            upper, work, merged; locked (flock on the directory) by its owner
 *   chains/HEX            the layer that a pulled chain of layers ends in
 *   step-keys/KEY.json    StepRecord
 * Ids are short, since all lower directories of a mount have to fit in one page, and random, so that none comes back.
 */
export function diskStore(directories: Directories): LayerStore & StepCache {
  const data = directories.data;
  const at = (...names: string[]): string => join(data, ...names);
  /** What is half written is among the drafts, where reaping looks: the folders of records grow large. */
  const write = (path: string, value: object): void => writeFileAtomically(path, JSON.stringify(value), undefined, at('drafts'));
  checkFormat(data);

  const infoOf = (id: LayerId): LayerInfo | undefined => {
    if (!isLayerId(id) || !existsSync(at('layers', id))) return undefined;
    const info = readJson(at('layer-info', `${id}.json`));
    return isLayerInfo(info, id) ? info : undefined;
  };

  const whole = new Set<LayerId>();
  /** Whether the layer is here with all that it stands on. */
  const isWhole = (id: LayerId): boolean => {
    const walked = new Set<LayerId>();
    for (let next: LayerId | undefined = id; next !== undefined && !whole.has(next);) {
      const info: LayerInfo | undefined = walked.has(next) ? undefined : infoOf(next);
      if (!info) return false;
      walked.add(next);
      next = info.parent;
    }
    for (const layer of walked) whole.add(layer);
    return true;
  };

  const readStep = (name: string): StepRecord | undefined => {
    const record = readJson(at('step-keys', name));
    return isStepRecord(record) && name === `${record.key}.json` ? record : undefined;
  };

  const stackOf = (id: LayerId | undefined): string[] => {
    const stack: string[] = [];
    for (let next = id; next !== undefined;) {
      const info = infoOf(next);
      if (!info) throw new Error(`layer ${next} is not in the store`);
      stack.push(at('layers', next));
      next = info.parent;
    }
    return stack;
  };

  const tarOf = (id: LayerId): AsyncIterable<Buffer> => {
    const place = recordPlace(data, id);
    return hasRecord(place) ? recordedTar(place, at('layers', id)) : canonicalTar(at('layers', id));
  };

  /** Finds out what a layer is on every machine; what is found is kept. */
  const identify = async (id: LayerId): Promise<IdentifiedLayer> => {
    const info = infoOf(id);
    if (!info) throw new Error(`layer ${id} is not in the store`);
    if (isIdentified(info)) return info;
    if (info.chainId !== undefined) throw notKept(info);
    const below = info.parent === undefined ? undefined : (await identify(info.parent)).chainId;
    const { diffId, tarBytes } = await measure(canonicalTar(at('layers', id)));
    const identified = { ...info, diffId, chainId: chainIdOf(below, diffId), tarBytes };
    write(at('layer-info', `${id}.json`), identified);
    const chain = at('chains', identified.chainId.slice('sha256:'.length));
    if (!existsSync(chain)) write(chain, { layer: id }); // who pulls it finds it here
    return identified;
  };

  const openDraft = (parent: LayerId | undefined): DiskDraft => new DiskDraft(data, parent, stackOf(parent));

  return {
    async add(layer: Layer, parent: LayerId | undefined, options: AddOptions): Promise<LayerId> {
      const below = parent === undefined ? undefined : (await identify(parent)).chainId;
      const chainId = chainIdOf(below, layer.diffId);
      const name = chainId.slice('sha256:'.length);
      using _claim = await lock(join(directories.runtime, 'chains', name), { signal: options.signal });
      const known = readJson<{ layer?: LayerId } | null>(at('chains', name))?.layer;
      if (known !== undefined && isWhole(known) && isIdentified(infoOf(known)!)) return known;
      await using draft = openDraft(parent);
      using recorder = new TarRecorder(draft.record);
      let tarBytes = 0;
      const tar = Readable.from(counted(await layer.open(options), (count) => (tarBytes += count)));
      await unpackLayer(tar, draft.upper, {
        recorder,
        overlay: overlayAttributes(),
        lower: stackOf(parent),
        ...(options.signal ? { signal: options.signal } : {}),
      });
      const id = await draft.keep({ diffId: layer.diffId, chainId, tarBytes });
      write(at('chains', name), { layer: id });
      layer.release?.();
      return id;
    },

    async open(id: LayerId): Promise<Layer & { readonly size: number }> {
      const { diffId, tarBytes } = await identify(id);
      const expected = { digest: diffId, size: tarBytes, what: `layer ${diffId} of the store` };
      return {
        diffId,
        size: tarBytes,
        open: async ({ onBytes } = {}) => Readable.from(verified(counted(tarOf(id), onBytes ?? (() => {})), expected)),
      };
    },

    draft: async (parent) => openDraft(parent),
    info: async (id) => infoOf(id),
    stack: async (id) => stackOf(id),
    claim(key, onWait, signal) {
      const path = join(directories.runtime, 'keys', key);
      return lock(path, { onWait: () => onWait(lockHolders(path)), signal });
    },

    async reap() {
      for (const name of listDirectory(at('drafts'))) reapDraft(data, name);
    },

    async get(key: StepKey): Promise<StepRecord | undefined> {
      const record = readStep(`${key}.json`);
      return record && isWhole(record.layer) ? record : undefined;
    },

    async set(record: StepRecord): Promise<void> {
      write(at('step-keys', `${record.key}.json`), record);
    },

    async used(key: StepKey): Promise<void> {
      try {
        const now = new Date();
        utimesSync(at('step-keys', `${key}.json`), now, now);
      } catch (error) {
        if (!isMissing(error) && !isReadOnly(error)) throw error; // to remember it is not worth failing
      }
    },

    async all(): Promise<readonly StepRecord[]> {
      return listDirectory(at('step-keys'))
        .filter((name) => name.endsWith('.json'))
        .map(readStep)
        .filter((record) => record !== undefined)
        .toSorted((a, b) => b.createdAt.localeCompare(a.createdAt));
    },
  };
}

/** The lock is on the directory itself: it cannot outlive its owner, and no lock file is left behind. */
class DiskDraft implements Draft {
  readonly upper: string;
  readonly work: string;
  readonly merged: string;
  /** For who unpacks an archive into it. */
  readonly record: RecordPlace;
  private readonly data: string;
  private readonly parent: LayerId | undefined;
  private readonly lower: readonly string[];
  private readonly held: LockedFolder;
  private open = true;

  constructor(data: string, parent: LayerId | undefined, lower: readonly string[]) {
    this.data = data;
    this.parent = parent;
    this.lower = lower;
    this.held = makeLockedFolder(() => unusedDraft(data));
    const at = (name: string): string => join(this.held.path, name);
    this.upper = at('upper');
    this.work = at('work');
    this.merged = at('merged');
    this.record = { record: at('tar'), replaced: at('replaced') };
    for (const path of [this.upper, this.work, this.merged]) mkdirSync(path);
    // The upper directory lends the mounted tree's root its owner and mode.
    const root = lower[0] === undefined ? undefined : lstatSync(lower[0]);
    chmodSync(this.upper, root ? root.mode & 0o7777 : 0o755);
    if (root) chownSync(this.upper, root.uid, root.gid);
  }

  async commit(options: CommitOptions): Promise<LayerId> {
    normalise(this.upper, this.lower, defaultEpoch, options);
    return this.keep({});
  }

  /** Makes the change set a layer as it stands. In this order a crash leaves a draft or a layer, never a part of one. */
  async keep(identity: { readonly diffId?: Digest; readonly chainId?: Digest; readonly tarBytes?: number }): Promise<LayerId> {
    const folder = this.held.path;
    const id = basename(folder) as LayerId;
    const files = listFiles(this.upper);
    const info: LayerInfo = {
      id,
      parent: this.parent,
      diffId: identity.diffId,
      chainId: identity.chainId,
      entries: files.length,
      bytes: files.reduce((sum: number, file: ListedFile) => sum + (file.size ?? 0), 0),
      ...(identity.tarBytes === undefined ? {} : { tarBytes: identity.tarBytes }),
    };
    const infoFile = join(this.data, 'layer-info', `${id}.json`);
    writeFileAtomically(join(this.data, 'layer-info', `${id}.files`), formatFileList(files), undefined, folder);
    const place = recordPlace(this.data, id);
    for (const name of ['record', 'replaced'] as const) if (existsSync(this.record[name])) renameSync(this.record[name], place[name]);
    writeFileAtomically(infoFile, JSON.stringify(info), undefined, folder);
    syncFileSystem(this.held.descriptor);
    mkdirSync(join(this.data, 'layers'), { recursive: true, mode: 0o700 });
    renameSync(this.upper, join(this.data, 'layers', id));
    await this[Symbol.asyncDispose]();
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.open) return;
    this.open = false;
    removeDraft(this.data, this.held.path);
    this.held[Symbol.dispose]();
  }
}

function unusedDraft(data: string): string {
  for (;;) {
    const id = randomBytes(4).readUInt32BE().toString(36).padStart(7, '0').slice(-6);
    if (!existsSync(join(data, 'layer-info', `${id}.json`))) return join(data, 'drafts', id);
  }
}

/** Drafts whose owner is gone; the halves of records too, which are told by their writer's number. */
function reapDraft(data: string, name: string): void {
  const path = join(data, 'drafts', name);
  const writer = /\.(\d+)\.tmp$/.exec(name)?.[1];
  if (writer !== undefined) {
    if (!existsSync(`/proc/${writer}`)) rmSync(path, { force: true });
    return;
  }
  using held = lockFolderNow(path);
  if (held) removeDraft(data, path);
}

/** What is known of the layer that it was to be goes first: when that is interrupted, the draft still tells of it. */
function removeDraft(data: string, path: string): void {
  const id = basename(path);
  const { record, replaced } = recordPlace(data, id as LayerId);
  if (!existsSync(join(data, 'layers', id)))
    for (const known of [record, replaced, ...['json', 'files'].map((end) => join(data, 'layer-info', `${id}.${end}`))])
      rmSync(known, { recursive: true, force: true });
  rmSync(path, { recursive: true, force: true });
}

type IdentifiedLayer = LayerInfo & { readonly diffId: Digest; readonly chainId: Digest; readonly tarBytes: number };

function isIdentified(info: LayerInfo): info is IdentifiedLayer {
  return info.diffId !== undefined && info.chainId !== undefined && info.tarBytes !== undefined;
}

function recordPlace(data: string, id: LayerId): RecordPlace {
  return { record: join(data, 'layer-info', `${id}.tar`), replaced: join(data, 'layer-info', `${id}.replaced`) };
}

async function measure(tar: AsyncIterable<Buffer>): Promise<{ readonly diffId: Digest; readonly tarBytes: number }> {
  const hash = createHash('sha256');
  let tarBytes = 0;
  for await (const chunk of tar) {
    hash.update(chunk);
    tarBytes += chunk.length;
  }
  return { diffId: sha256Digest(hash.digest('hex')), tarBytes };
}

async function* counted(source: AsyncIterable<Buffer>, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    onBytes(chunk.length);
    yield chunk;
  }
}

function notKept({ diffId }: LayerInfo): UserError {
  return new UserError(
    'NOT_SUPPORTED',
    `The layer ${diffId} was unpacked by an older devenv, which kept too little to write it out again.`,
    {
      hint: 'Pull its image again.',
    },
  );
}

function checkFormat(data: string): void {
  const path = join(data, 'FORMAT');
  const found = readJson<number>(path);
  if (found === undefined) {
    try {
      writeFileAtomically(path, `${storeFormat}\n`, 0o644);
    } catch (error) {
      throw new UserError('NOT_WRITABLE', `devenv cannot write its data directory ${data}: ${(error as Error).message}`, {
        hint: 'Free the directory or its disk, or set DEVENV_BASE_DIR to a folder that you can write.',
        cause: error,
      });
    }
  } else if (found > storeFormat) {
    throw new UserError('STORE_FORMAT', `The store at ${data} has format ${found}; this devenv knows formats up to ${storeFormat}.`, {
      hint: 'Use the newer devenv, or set DEVENV_BASE_DIR to another folder.',
    });
  }
}

function isReadOnly(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EROFS';
}

function listDirectory(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : [];
}
