import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  rmdirSync,
  unlinkSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import { fileSha256 } from '../base/hash-file.ts';
import { listAttributes, makeNode, removeAttribute, setTimes } from '../base/system-calls.ts';
import { pathOf } from '../oci/file-name.ts';
import type { CommitOptions } from './layer-store.ts';
import { isOpaque, isWhiteout, listShown, lookUp, namesIn, type Shown } from './merged.ts';
import { isSameEntry, modifiedSeconds } from './same-entry.ts';

/** Seconds since 1970 that no time in a layer exceeds, unless a lock says another (2026-01-01T00:00:00Z). Part of the layer format. */
export const defaultEpoch = 1767225600;

/** What overlayfs, and programs that do its work, write for themselves; nothing of it means something in another place. */
const localAttribute = /^(?:trusted|user)\.(?:overlay|fuseoverlayfs)\./;

/**
 * Files that tools write on every run with times, random bytes or host facts in them, and that nothing needs: caches that are
 * rebuilt on demand, logs, locks. Removed from a new layer; what a lower layer holds at the path stays. docs/reproducible.md gives the
 * reason of each rule.
 */
const noise: readonly RegExp[] = [
  /^var\/cache\/ldconfig\/aux-cache$/,
  /^var\/cache\/apt\/(src)?pkgcache\.bin$/,
  /^var\/cache\/debconf\/[^/]+-old$/,
  /^var\/cache\/man\/(?:.*\/)?index\.db$/,
  /^var\/cache\/fontconfig\/.*\.cache-\d+$/,
  /^var\/lib\/dpkg\/[^/]+-old$/,
  /^var\/lib\/dpkg\/(lock|lock-frontend|triggers\/Lock)$/,
  /^var\/lib\/apt\/(lists\/lock|extended_states\.(old|bak)|periodic\/.*)$/,
  /^var\/lib\/systemd\/random-seed$/,
  /^var\/log\/(dpkg|alternatives|bootstrap|fontconfig)\.log$/,
  /^var\/log\/apt\/(history\.log|term\.log|eipp\.log\.xz)$/,
  /^(?:root|home\/[^/]+)\/\.npm\/(?:_logs\/.*|_update-notifier-last-checked)$/,
  /^\.dockerenv$/,
];

/** Files that count as noise for what is in them: the test gets the path of the file on this machine. */
const noisyContent: readonly { readonly path: RegExp; readonly isNoise: (file: string, epoch: number) => boolean }[] = [
  { path: /^(?:etc|var\/lib\/dbus)\/machine-id$/, isNoise: (file) => /^[0-9a-f]{32}\n$/.test(startOf(file).toString('latin1')) },
  // PEP 552: no flags, then when the source was changed. That was the time of this build, and no source keeps it: Python compiles anew.
  {
    path: /(?:^|\/)__pycache__\/[^/]+\.pyc$/,
    isNoise: (file, epoch) => {
      const start = startOf(file);
      return start.length >= 12 && start.readUInt32LE(4) === 0 && start.readUInt32LE(8) > epoch;
    },
  },
];

/**
 * Brings a change set, unmounted, into the one form that a layer has everywhere: what a tree differs in from the one below it,
 * and nothing that tells how it came about. Litter, unchanged copies and known noise are gone, and so is every entry that
 * repeats what is below; what a directory lacks that is below is a whiteout, never an attribute of the directory; no time is
 * later than `epoch` or has a fraction. `lower`: the directories below it, topmost first. Idempotent.
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
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return;
  const unchanged =
    'target' in original
      ? stats.isSymbolicLink() && readlinkSync(path) === original.target
      : stats.isFile() && (stats.mode & 0o7777) === original.mode && fileSha256(path) === original.sha256;
  if (unchanged) unlinkSync(path);
}

function removeEmpty(path: string): void {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (!stats) return;
  if (stats.isFile() && stats.size === 0) unlinkSync(path);
  else if (stats.isDirectory() && readdirSync(path).length === 0) rmdirSync(path);
}

/**
 * `lower`: the same directory in the layers below. `isNew`: nothing of those shows, since it was made anew. A directory's time
 * tells when names came or went: where none did, it has that of below.
 */
function normaliseDirectory(directory: string, relative: string, lower: readonly string[], epoch: number, isNew = false): void {
  const own = lstatSync(pathOf(directory), { bigint: true });
  const isAnew = lower.length > 0 && (isNew || isOpaque(directory));
  if (isAnew) tellWhatIsGone(directory, lower);
  let hasOtherNames = lower.length === 0;
  for (const name of namesIn(directory)) {
    const path = `${directory}/${name}`;
    const inside = relative === '' ? name : `${relative}/${name}`;
    const stats = lstatSync(pathOf(path), { bigint: true });
    const below = lower.length > 0 ? lookUp(lower, name) : undefined;
    if (stats.isDirectory()) {
      normaliseDirectory(path, inside, below?.folders ?? [], epoch, isAnew);
      if (namesIn(path).length === 0 && below?.stats.isDirectory() && isSameEntry(below, { path, stats })) {
        rmdirSync(pathOf(path));
        continue;
      }
      if (name === '__pycache__' && below === undefined && namesIn(path).length === 0) {
        rmdirSync(pathOf(path));
        continue;
      }
    } else if (isSuperfluous({ path, stats }, inside, below, epoch)) {
      unlinkSync(pathOf(path));
      continue;
    } else {
      dropLocalAttributes(path);
      clampTimes(path, stats, epoch);
    }
    hasOtherNames ||= below === undefined || isWhiteout(stats);
  }
  dropLocalAttributes(directory);
  if (relative === '') setTimes(pathOf(directory), epoch, 0);
  else clampTimes(directory, hasOtherNames ? own : lstatSync(pathOf(lower[0]!), { bigint: true }), epoch);
}

/** Instead of hiding all that is below, the directory shall name what it has no more. */
function tellWhatIsGone(directory: string, lower: readonly string[]): void {
  const there = new Set(namesIn(directory));
  for (const name of listShown(lower).keys()) if (!there.has(name)) makeNode(pathOf(`${directory}/${name}`), characterDevice, 0, 0);
}

function isSuperfluous(
  entry: { readonly path: string; readonly stats: BigIntStats },
  relative: string,
  below: Shown | undefined,
  epoch: number,
): boolean {
  const { stats } = entry;
  if (isWhiteout(stats)) return below === undefined;
  if (stats.isFile() && isNoise(entry.path, relative, epoch)) return true;
  if (!below || stats.nlink > 1n) return false; // one of several names of a file: they belong together
  const [before, after] = [modifiedSeconds(below.stats), modifiedSeconds(stats)];
  return (after === before || Math.min(after, epoch) === before) && isSameEntry(entry, below);
}

function isNoise(path: string, relative: string, epoch: number): boolean {
  return (
    noise.some((pattern) => pattern.test(relative)) || noisyContent.some((rule) => rule.path.test(relative) && rule.isNoise(path, epoch))
  );
}

/** The first bytes of a file. */
function startOf(path: string): Buffer {
  const descriptor = openSync(pathOf(path), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const bytes = Buffer.alloc(64);
    return bytes.subarray(0, readSync(descriptor, bytes));
  } finally {
    closeSync(descriptor);
  }
}

function dropLocalAttributes(path: string): void {
  for (const name of listAttributes(pathOf(path))) if (localAttribute.test(name)) removeAttribute(pathOf(path), name);
}

function clampTimes(path: string, stats: BigIntStats, epoch: number): void {
  setTimes(pathOf(path), Math.min(modifiedSeconds(stats), epoch), 0);
}

const characterDevice = 0o20000; // S_IFCHR
