import { isDigest, type Digest } from './digest.ts';
import { arrayOf, DocumentError, objectOf, parseDocument } from './document.ts';
import type { ImageConfig } from './image.ts';
import type { IndexEntry } from './manifest.ts';

export interface ConfigDocument {
  /** Undefined when the document says none, as some tools write it. */
  readonly platform: IndexEntry['platform'];
  readonly config: ImageConfig;
  /** Lowest layer first. */
  readonly diffIds: readonly Digest[];
  /** When it was made, as it says: ISO 8601. */
  readonly created: string | undefined;
}

/** Reads an image's config (image-spec, config.md). @throws DocumentError */
export function parseImageConfig(bytes: Buffer): ConfigDocument {
  const document = parseDocument(bytes, 'config');
  const config = objectOf(document['config'] ?? {}, 'config');
  const stopSignal = textOf(config['StopSignal'], 'StopSignal');
  return {
    platform: platformOf(document['os'], document['architecture'], document['variant']),
    config: {
      env: environmentOf(textsOf(config['Env'], 'Env')),
      user: textOf(config['User'], 'User'),
      workdir: textOf(config['WorkingDir'], 'WorkingDir'),
      entrypoint: textsOf(config['Entrypoint'], 'Entrypoint'),
      command: textsOf(config['Cmd'], 'Cmd'),
      labels: Object.fromEntries(
        Object.entries(objectOf(config['Labels'] ?? {}, 'Labels')).map(([name, value]) => [name, textOf(value, 'Labels')]),
      ),
      exposedPorts: Object.keys(objectOf(config['ExposedPorts'] ?? {}, 'ExposedPorts')),
      volumes: Object.keys(objectOf(config['Volumes'] ?? {}, 'Volumes')),
      ...(stopSignal === '' ? {} : { stopSignal }),
    },
    diffIds: diffIdsOf(document['rootfs']),
    created: timeOf(document['created']),
  };
}

function platformOf(os: unknown, architecture: unknown, variant: unknown): IndexEntry['platform'] {
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '' || architecture === '') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

/** In order; the later of two values of one name counts. */
function environmentOf(entries: readonly string[]): Record<string, string> {
  const pairs = entries.map((entry): [string, string] => {
    const equals = entry.indexOf('=');
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
  });
  return Object.fromEntries(pairs.filter(([name]) => name !== ''));
}

function diffIdsOf(value: unknown): readonly Digest[] {
  const rootfs = objectOf(value, 'rootfs');
  return arrayOf(rootfs['diff_ids'] ?? [], 'list of diff ids').map((id) => {
    if (typeof id !== 'string' || !isDigest(id)) throw new DocumentError('one of its diff ids is no sha256 digest');
    return id;
  });
}

/** RFC 3339, of which only what is a time counts. */
function timeOf(value: unknown): string | undefined {
  const time = typeof value === 'string' ? new Date(value) : undefined;
  return time === undefined || Number.isNaN(time.getTime()) ? undefined : time.toISOString();
}

function textOf(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw new DocumentError(`${what} of its config is no text`);
  return value;
}

function textsOf(value: unknown, what: string): readonly string[] {
  return arrayOf(value ?? [], what).map((text) => textOf(text, what));
}
