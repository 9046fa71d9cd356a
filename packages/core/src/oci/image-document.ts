import { isObject } from '../base/shape.ts';
import type { Digest } from './digest.ts';
import type { ImageConfig } from './image.ts';
import { parseImageConfig } from './image-config.ts';
import type { Platform } from './platform.ts';

/** One line of an image's history, as the config document has it (image-spec, config.md). */
export interface HistoryEntry {
  readonly created?: string;
  readonly author?: string;
  readonly created_by?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

export interface DocumentWishes {
  readonly platform: Platform;
  /** Lowest first. */
  readonly diffIds: readonly Digest[];
  /** The document of the image that it stands on: what we do not speak of stays as it is there. */
  readonly base?: Buffer | undefined;
  /** In Docker's words: members that are undefined are left out. */
  readonly config: Readonly<Record<string, unknown>>;
  /** How the layers above the base were made; those that are not told of are said to have been made somehow. */
  readonly history: readonly HistoryEntry[];
  /** RFC 3339. */
  readonly created: string;
  readonly author?: string | undefined;
}

/** The config document of an image. The same wishes are the same bytes. */
export function imageDocument({ platform, diffIds, base, config, history, created, author }: DocumentWishes): Buffer {
  const below = base === undefined ? undefined : parseImageConfig(base);
  const stands = below?.diffIds.every((id, index) => id === diffIds[index]) === true;
  const baseLayers = stands ? below.diffIds.length : 0;
  const baseHistory = stands ? historyOf(base!, baseLayers) : [];
  const free = diffIds.length - baseLayers;
  const own = lastLayers(history, free);
  const told = own.filter(({ empty_layer: empty }) => !empty).length;
  const unknown = Array.from({ length: free - told }, () => ({ created, created_by: 'base' }));
  const document = {
    created,
    ...(author === undefined ? {} : { author }),
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    config,
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: [...baseHistory, ...unknown, ...own],
  };
  return Buffer.from(JSON.stringify(document));
}

/** As much of the end of a history as makes so many layers: a document whose history is longer is refused by others. */
function lastLayers(history: readonly HistoryEntry[], layers: number): readonly HistoryEntry[] {
  const making = history.filter(({ empty_layer: empty }) => !empty);
  return making.length <= layers ? history : making.slice(making.length - layers);
}

/** The history of a document, with one entry that makes a layer for each that it has: else a made-up one. */
export function historyOf(document: Buffer, layers: number): readonly HistoryEntry[] {
  const { history, created } = JSON.parse(document.toString('utf8')) as { readonly history?: unknown; readonly created?: unknown };
  const entries = Array.isArray(history) ? history.filter((entry): entry is HistoryEntry => isObject(entry)) : [];
  if (entries.filter((entry) => entry.empty_layer !== true).length === layers) return entries;
  return Array.from({ length: layers }, () => (typeof created === 'string' ? { created } : {}));
}

/** The `config` member of a document, in Docker's words. */
export function rawConfig(document: Buffer): Record<string, unknown> {
  const { config } = JSON.parse(document.toString('utf8')) as { readonly config?: unknown };
  return isObject(config) ? { ...config } : {};
}

/** Our words in Docker's, over what is there: what we do not know of stays. */
export function withParameters(raw: Readonly<Record<string, unknown>>, config: ImageConfig): Record<string, unknown> {
  return {
    ...raw,
    User: config.user,
    Env: Object.entries(config.env).map(([name, value]) => `${name}=${value}`),
    Entrypoint: config.entrypoint.length === 0 ? null : config.entrypoint,
    Cmd: config.command.length === 0 ? null : config.command,
    WorkingDir: config.workdir,
    Labels: Object.keys(config.labels).length === 0 ? null : config.labels,
    ...emptyMembers('ExposedPorts', config.exposedPorts),
    ...emptyMembers('Volumes', config.volumes),
    ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
  };
}

function emptyMembers(name: string, keys: readonly string[]): Record<string, unknown> {
  return keys.length === 0 ? {} : { [name]: Object.fromEntries(keys.map((key) => [key, {}])) };
}
