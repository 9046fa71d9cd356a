import { lstatSync, lutimesSync, readdirSync, readlinkSync, rmdirSync, unlinkSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { isMissing } from '../base/files.ts';
import { fileSha256 } from '../base/hash-file.ts';
import { getAttribute, listAttributes, removeAttribute } from '../base/system-calls.ts';
import { overlayAttributes } from '../base/user-namespace.ts';
import type { CommitOptions } from './layer-store.ts';

/** Seconds since 1970 that no time in a layer exceeds, unless a lock says another (2026-01-01T00:00:00Z). Part of the layer format. */
export const defaultEpoch = 1767225600;

/** What overlayfs writes for itself and what means nothing in another place (linux/Documentation/filesystems/overlayfs.rst). */
const localAttribute = /^(?:trusted|user)\.overlay\.(?:origin|impure|nlink|uuid|upper|protattr)$/;

/**
 * Files that Debian's tools write on every run with times, random bytes or host facts in them, and that nothing needs: caches
 * that are rebuilt on demand and logs. Removed from a new layer; what a lower layer holds at the path stays.
 */
const noise: readonly RegExp[] = [
  /^var\/cache\/ldconfig\/aux-cache$/,
  /^var\/cache\/apt\/(src)?pkgcache\.bin$/,
  /^var\/cache\/debconf\/[^/]+-old$/,
  /^var\/lib\/dpkg\/[^/]+-old$/,
  /^var\/lib\/dpkg\/(lock|lock-frontend|triggers\/Lock)$/,
  /^var\/lib\/apt\/(lists\/lock|extended_states\.(old|bak))$/,
  /^var\/log\/(dpkg|alternatives|bootstrap|fontconfig)\.log$/,
  /^var\/log\/apt\/(history\.log|term\.log|eipp\.log\.xz)$/,
  /^\.dockerenv$/,
];

/**
 * Brings a change set, unmounted, into the one form that a layer has everywhere: litter, unchanged copies and known noise
 * are gone, whiteouts and directories that change nothing are gone, overlay's private attributes are gone, no time is later
 * than `epoch` or has a fraction. `lower`: the directories below it, topmost first. Idempotent.
 */
export function normalise(upper: string, lower: readonly string[], epoch: number, options: CommitOptions): void {
  for (const [path, original] of options.copies ?? []) removeUnchangedCopy(join(upper, path), original);
  for (const path of (options.litter ?? []).toReversed()) removeEmpty(join(upper, path));
  normaliseDirectory(upper, '', lower, epoch);
}

function removeUnchangedCopy(
  path: string,
  original: { readonly sha256: string; readonly mode: number } | { readonly target: string },
): void {
  const stats = lstatOrUndefined(path);
  if (!stats) return;
  const unchanged =
    'target' in original
      ? stats.isSymbolicLink() && readlinkSync(path) === original.target
      : stats.isFile() && (stats.mode & 0o7777) === original.mode && fileSha256(path) === original.sha256;
  if (unchanged) unlinkSync(path);
}

function removeEmpty(path: string): void {
  const stats = lstatOrUndefined(path);
  if (!stats) return;
  if (stats.isFile() && stats.size === 0) unlinkSync(path);
  else if (stats.isDirectory() && readdirSync(path).length === 0) rmdirSync(path);
}

/** Children first: removing them changes the directory's own time. */
function normaliseDirectory(directory: string, relative: string, lower: readonly string[], epoch: number): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const inside = relative === '' ? name : `${relative}/${name}`;
    const stats = lstatSync(path);
    if (stats.isDirectory()) {
      const opaque = isOpaque(path);
      normaliseDirectory(path, inside, opaque ? [] : lower, epoch);
      if (!opaque && repeatsLowerDirectory(path, stats, inside, lower)) {
        rmdirSync(path);
        continue;
      }
    } else if (
      isWhiteout(stats) ? findInLower(lower, inside) === undefined : stats.isFile() && noise.some((pattern) => pattern.test(inside))
    ) {
      unlinkSync(path);
      continue;
    }
    dropLocalAttributes(path);
    clampTimes(path, lstatSync(path), epoch);
  }
  if (relative === '') dropLocalAttributes(directory);
}

/** A directory that was copied up only because something in it came and went. */
function repeatsLowerDirectory(path: string, stats: Stats, relative: string, lower: readonly string[]): boolean {
  if (readdirSync(path).length > 0) return false;
  const below = findInLower(lower, relative);
  if (!below) return false;
  const other = lstatSync(below);
  if (!other.isDirectory() || other.mode !== stats.mode || other.uid !== stats.uid || other.gid !== stats.gid) return false;
  return attributesOf(path) === attributesOf(below);
}

/** The entry that a path shows in the merged lower layers, as an absolute path; undefined when there is none. */
export function findInLower(lower: readonly string[], relative: string): string | undefined {
  const names = relative.split('/');
  for (const layer of lower) {
    let path = layer;
    for (const [index, name] of names.entries()) {
      path = join(path, name);
      const stats = lstatOrUndefined(path);
      if (!stats) break;
      if (isWhiteout(stats)) return undefined;
      if (index === names.length - 1) return path;
      if (!stats.isDirectory()) return undefined;
      if (isOpaque(path) && !lstatOrUndefined(join(path, ...names.slice(index + 1)))) return undefined;
    }
  }
  return undefined;
}

/** overlayfs marks a removed name by a character device 0:0. */
function isWhiteout(stats: Stats): boolean {
  return stats.isCharacterDevice() && stats.rdev === 0;
}

/** A directory that hides all below it. */
function isOpaque(path: string): boolean {
  return getAttribute(path, `${overlayAttributes()}.overlay.opaque`)?.toString() === 'y';
}

function attributesOf(path: string): string {
  return listAttributes(path)
    .filter((name) => !/^(?:trusted|user)\.overlay\./.test(name))
    .toSorted()
    .map((name) => `${name}=${getAttribute(path, name)?.toString('base64') ?? ''}`)
    .join('\n');
}

function dropLocalAttributes(path: string): void {
  for (const name of listAttributes(path)) if (localAttribute.test(name)) removeAttribute(path, name);
}

function clampTimes(path: string, stats: Stats, epoch: number): void {
  const seconds = Math.min(Math.floor(stats.mtimeMs / 1000), epoch);
  if (stats.mtimeMs !== seconds * 1000) lutimesSync(path, seconds, seconds);
}

function lstatOrUndefined(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
