import { basename } from 'node:path';
import type { Config } from '../config/config.ts';
import { invalid } from '../config/problems.ts';
import { codeFrame } from '../base/code-frame.ts';
import { UserError, type Problem } from '../base/errors.ts';
import { readText } from '../base/files.ts';
import { areStrings, hasStrings, isObject } from '../base/shape.ts';
import type { Lock, LockedImage } from '../lock/lock.ts';
import { formatPlatform, hostPlatform, parsePlatform, type Platform } from '../oci/platform.ts';
import { isDigest } from '../oci/digest.ts';
import { formatReference, parseReference, type Reference } from '../oci/reference.ts';
import { localReference, localStamp, type LocalSource } from '../registry/local.ts';
import type { Meaning, Registry } from '../registry/registry.ts';
import { HashCache } from './hash-cache.ts';
import type { Resolved, ResolvedBase, ResolvedName, ResolvedNames } from './resolved.ts';
import { resolveFiles } from './resolve-files.ts';

export interface ResolveOptions {
  readonly registry: (source?: LocalSource) => Promise<Registry>;
  /** What names meant before; asked again when `refresh`. */
  readonly known: ResolvedNames;
  readonly refresh: boolean;
  /** What it says of a name is what the name means. */
  readonly lock?: Lock | undefined;
  /** File that remembers content hashes by size, times and inode. */
  readonly hashCache: string;
}

/**
 * Turns names into digests and declared files into hashes. The only stage that asks the network what a name means.
 * @throws UserError CONFIG_INVALID with one INPUT_NOT_FOUND or PATH_OUTSIDE for each file that is missing.
 */
export async function resolve(config: Config, options: ResolveOptions): Promise<Resolved> {
  const platform = platformOf(config);
  const problems: Problem[] = [];
  const hashes = new HashCache(options.hashCache);
  const files = config.steps.map((step) => resolveFiles(step, config, hashes, problems));
  hashes.save();
  if (problems.length > 0) throw invalid(withFrames(problems, config.path), [config.path]);
  const lock = options.lock && (options.lock.platforms[formatPlatform(platform)] ?? { layers: [] });
  return {
    config,
    platform,
    base: await resolveBase(config, platform, { ...options, image: lock?.image }),
    files,
    ...(lock ? { lock } : {}),
  };
}

/** With the lines around each, as a mistake has that is found while the file is read. */
function withFrames(problems: readonly Problem[], path: string): readonly Problem[] {
  const text = readText(path)?.replace(/^\ufeff/, '');
  if (text === undefined) return problems;
  return problems.map((problem) => ({ ...problem, frame: codeFrame(text, { line: problem.line!, column: problem.column! }) }));
}

/** Names and digests of a resolved config, to be known the next time. */
export function namesOf(resolved: Resolved): ResolvedNames {
  if (resolved.base.kind !== 'image') return {};
  const { reference, local, name } = resolved.base;
  return { [local ? localKey(local, resolved.platform) : nameKey(reference, resolved.platform)]: name };
}

/** Names as they were kept; one whose meaning is damaged is not known. */
export function knownNames(kept: unknown): ResolvedNames {
  if (!isObject(kept)) return {};
  return Object.fromEntries(Object.entries(kept).filter((entry): entry is [string, ResolvedName] => isName(entry[1])));
}

function isName(name: unknown): name is ResolvedName {
  if (!isObject(name) || !hasStrings(name, 'manifest', 'image') || !isObject(name['config'])) return false;
  const { manifest, image, index, config } = name as Readonly<Record<string, unknown>> & {
    readonly config: Readonly<Record<string, unknown>>;
  };
  const digests = [manifest, image, ...(index === undefined ? [] : [index])];
  if (!digests.every((digest) => typeof digest === 'string' && isDigest(digest))) return false;
  const lists = ['entrypoint', 'command', 'exposedPorts', 'volumes'].map((list) => config[list]);
  return hasStrings(config, 'user', 'workdir') && lists.every(areStrings) && isObject(config['env']) && isObject(config['labels']);
}

function platformOf(config: Config): Platform {
  if (config.platform === undefined) return hostPlatform();
  const platform = parsePlatform(config.platform);
  if (!platform)
    throw new UserError('NOT_SUPPORTED', `The platform ${config.platform} is none that devenv can run.`, {
      hint: 'Use linux/amd64, linux/arm64 or another linux/… platform.',
    });
  return platform;
}

async function resolveBase(
  config: Config,
  platform: Platform,
  options: ResolveOptions & { readonly image: LockedImage | undefined },
): Promise<ResolvedBase> {
  const base = config.base;
  if (base.kind === 'debian' || base.kind === 'scratch') return base;
  if (base.kind === 'archive' || base.kind === 'layout') return resolveLocal(base, platform, options);
  const reference = parseReference(base.reference);
  const text = formatReference(reference);
  const locked = options.image?.name === text ? options.image : undefined;
  const known = options.refresh && !locked ? undefined : options.known[nameKey(text, platform)];
  if (known && (!locked || (known.manifest === locked.manifest && known.image === locked.id)))
    return { kind: 'image', reference: text, name: { ...known, ...(locked ? meaningOf(locked) : {}) } };
  const registry = await options.registry();
  if (locked) return { kind: 'image', reference: text, name: await lookUpLocked(registry, reference, locked, platform) };
  const meaning = await registry.resolve(reference, platform);
  if (!meaning)
    throw new UserError('IMAGE_NOT_FOUND', `There is no image ${text}.`, { hint: 'Check the name and the tag in devenv.json.' });
  return { kind: 'image', reference: text, name: await lookUp(registry, reference, meaning, platform) };
}

/** A file that has changed has another meaning: no `--refresh` is needed to notice. */
async function resolveLocal(source: LocalSource, platform: Platform, options: ResolveOptions): Promise<ResolvedBase> {
  const local = { kind: source.kind, path: source.path, stamp: localStamp(source) };
  const reference = basename(local.path);
  const known = options.refresh ? undefined : options.known[localKey(local, platform)];
  if (known) return { kind: 'image', reference, name: known, local };
  const registry = await options.registry(local);
  const meaning = await registry.resolve(localReference, platform);
  if (!meaning) throw new UserError('IMAGE_NOT_FOUND', `There is no image in ${reference}.`, { hint: 'Check "image" in devenv.json.' });
  return { kind: 'image', reference, name: await lookUp(registry, localReference, meaning, platform), local };
}

async function lookUp(registry: Registry, reference: Reference, meaning: Meaning, platform: Platform): Promise<ResolvedName> {
  const image = await registry.get({ ...reference, digest: meaning.manifest }, platform);
  return { ...meaning, image: image.id, config: image.config };
}

function meaningOf({ manifest, index }: LockedImage): Meaning {
  return { manifest, ...(index ? { index } : {}) };
}

async function lookUpLocked(registry: Registry, reference: Reference, locked: LockedImage, platform: Platform): Promise<ResolvedName> {
  const name = await lookUp(registry, reference, meaningOf(locked), platform);
  if (name.image === locked.id) return name;
  throw new UserError('LOCK_INVALID', `The lock says that ${locked.name} is ${locked.id}, but its manifest names ${name.image}.`, {
    hint: 'devenv update base locks what the name means now.',
  });
}

function localKey(local: LocalSource & { readonly stamp: string }, platform: Platform): string {
  return nameKey(`${local.kind}:${local.path} ${local.stamp}`, platform);
}

function nameKey(reference: string, platform: Platform): string {
  return `${reference} ${formatPlatform(platform)}`;
}
