import { lstatSync, readdirSync, readlinkSync, realpathSync, type BigIntStats } from 'node:fs';
import { dirname, join, posix, relative } from 'node:path';
import picomatch from 'picomatch';
import type { Problem } from '../base/errors.ts';
import { isMissing } from '../base/files.ts';
import type { Config, CopyStep, RunStep, Step } from '../config/config.ts';
import type { InputEntry } from '../oci/step-key.ts';
import type { HashCache } from './hash-cache.ts';
import type { ResolvedFile } from './resolved.ts';

/**
 * The workspace files a step reads, by path in code-unit order. A pattern names a file, a folder (all in it) or a glob; `!`
 * takes away what came before. Links are not followed: a link is its target's text. Adds a problem for each pattern that
 * names nothing.
 */
export function resolveFiles(step: Step, config: Config, hashes: HashCache, problems: Problem[]): ResolvedFile[] {
  if (step.kind !== 'run' && step.kind !== 'copy') return [];
  const patterns = step.kind === 'run' ? step.inputs : step.from;
  const found = new Map<string, { readonly root: string; readonly single: boolean }>();
  for (const pattern of patterns) {
    if (pattern.startsWith('!')) {
      const excluded = picomatch([trimmed(pattern.slice(1)), `${trimmed(pattern.slice(1))}/**`], { dot: true });
      for (const path of [...found.keys()]) if (excluded(path)) found.delete(path);
      continue;
    }
    const matches = matchPattern(config.folder, trimmed(pattern));
    if (matches === 'outside') problems.push(problem(step, 'PATH_OUTSIDE', `"${pattern}" leads out of the workspace through a link.`));
    else if (matches.paths.length === 0) problems.push(missing(step, pattern));
    else for (const path of matches.paths) found.set(path, matches);
  }
  const files: ResolvedFile[] = [];
  for (const [path, match] of [...found].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const entry = readEntry(join(config.folder, path), hashes);
    if (entry) files.push({ path, target: targetOf(step, config, path, match, found.size), entry });
  }
  return files;
}

interface Matches {
  readonly paths: readonly string[];
  /** What the matched paths are relative to when they are copied: the folder itself, or a glob's fixed part. */
  readonly root: string;
  /** The pattern is the path of one file. */
  readonly single: boolean;
}

function matchPattern(folder: string, pattern: string): Matches | 'outside' {
  const { base, isGlob } = picomatch.scan(pattern);
  const root = isGlob ? base : pattern;
  const start = join(folder, root);
  const stats = lstatOrUndefined(start);
  if (!stats) return { paths: [], root, single: false };
  if (leadsOutside(folder, start)) return 'outside';
  if (!isGlob && !stats.isDirectory()) return { paths: [pattern], root: posix.dirname(pattern), single: true };
  const paths: string[] = [];
  walk(folder, root === '.' ? '' : root, paths);
  if (!isGlob) return { paths, root, single: false };
  const matches = picomatch(pattern, { dot: true });
  return { paths: paths.filter((path) => matches(path)), root, single: false };
}

function walk(folder: string, path: string, paths: string[]): void {
  for (const entry of readdirSync(join(folder, path), { withFileTypes: true })) {
    const inside = path === '' ? entry.name : `${path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (entry.name !== '.git') walk(folder, inside, paths);
    } else paths.push(inside);
  }
}

/** Sockets, devices and pipes have no content: they are passed over. */
function readEntry(path: string, hashes: HashCache): InputEntry | undefined {
  const stats = lstatSync(path, { bigint: true });
  if (stats.isSymbolicLink()) return { type: 'symlink', target: readlinkSync(path) };
  if (!stats.isFile()) return undefined;
  return { type: 'file', sha256: hashes.sha256(path, stats), executable: (stats.mode & 0o100n) !== 0n };
}

/** Inputs keep their place below the working directory; copies go where the step says, as `cp` would put them. */
function targetOf(
  step: RunStep | CopyStep,
  config: Config,
  path: string,
  match: { readonly root: string; readonly single: boolean },
  count: number,
): string {
  if (step.kind === 'run') return posix.join(step.workdir ?? config.workspace, path);
  if (match.single && count === 1 && !step.to.endsWith('/')) return step.to;
  return posix.join(step.to, relative(match.root, path));
}

function leadsOutside(folder: string, path: string): boolean {
  const parent = realpathSync(dirname(path));
  return parent !== folder && !`${parent}/`.startsWith(`${folder}/`) && path !== folder;
}

function trimmed(pattern: string): string {
  return posix.normalize(pattern).replace(/\/$/, '');
}

function lstatOrUndefined(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function missing(step: Step, pattern: string): Problem {
  const what = step.kind === 'copy' ? 'file to copy' : 'input';
  return problem(
    step,
    'INPUT_NOT_FOUND',
    `The ${what} "${pattern}" of the step "${step.name}" does not exist in the workspace.`,
    'Paths are relative to the folder of devenv.json.',
  );
}

function problem(step: Step, code: Problem['code'], message: string, hint?: string): Problem {
  return { code, message, file: step.place.file, line: step.place.line, column: step.place.column, ...(hint ? { hint } : {}) };
}
