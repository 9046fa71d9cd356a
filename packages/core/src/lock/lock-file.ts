import { basename } from 'node:path';
import json from '../../../../schemas/devenv-lock.schema.json' with { type: 'json' };
import { canonicalJson, sha256, type Json } from '../base/canonical-json.ts';
import { UserError, type Problem } from '../base/errors.ts';
import { readText, writeFileAtomically } from '../base/files.ts';
import { checkSchema } from '../config/check-schema.ts';
import { parseSource } from '../config/parse-source.ts';
import { Problems } from '../config/problems.ts';
import type { Schema } from '../config/schema.ts';
import type { Lock } from './lock.ts';

const lockVersion = 1;
const schema = json as unknown as Schema;
/** Ten platforms of some thousand packages each. */
const longest = 16 * 1024 * 1024;

/** Undefined: there is none. @throws UserError LOCK_INVALID for one that is damaged, was edited, or is of a newer devenv */
export function readLock(path: string): Lock | undefined {
  let text: string | undefined;
  try {
    text = readText(path);
  } catch (cause) {
    throw new UserError('LOCK_INVALID', `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, { cause });
  }
  return text === undefined ? undefined : parseLock(text, path);
}

/** @throws UserError LOCK_INVALID */
export function parseLock(text: string, path: string): Lock {
  const problems = new Problems();
  const root = parseSource(path, text, problems, longest);
  const version = root?.kind === 'object' ? root.members.get('lockVersion')?.value : undefined;
  if (version?.kind === 'number' && version.value > lockVersion)
    throw new UserError('LOCK_INVALID', `${basename(path)} is of version ${version.value}; this devenv knows version ${lockVersion}.`, {
      hint: 'Use a newer devenv.',
    });
  if (root) checkSchema(root, schema, problems);
  if (problems.count > 0) throw invalid(path, 'is damaged', problems.list([path]));
  const { checksum, ...rest } = parseStrictly(text, path);
  if (sha256(canonicalJson(rest as unknown as Json)) !== checksum)
    throw invalid(path, 'was changed after devenv wrote it: its checksum is another one', []);
  const { epoch, platforms } = rest;
  return { epoch, platforms };
}

/** Readers see the old lock or the new one. */
export function writeLock(path: string, lock: Lock): void {
  writeFileAtomically(path, formatLock(lock), 0o644);
}

/** The one text of a lock: equal locks are equal files, and a package that changes changes its own lines and the checksum's. */
export function formatLock({ epoch, platforms }: Lock): string {
  const rest = {
    lockVersion,
    epoch,
    platforms: sorted(platforms, ({ image, layers }) => ({
      ...(image
        ? { image: { name: image.name, ...(image.index ? { index: image.index } : {}), manifest: image.manifest, id: image.id } }
        : {}),
      layers: layers.map(({ name, key, definition, diffId, archiveTime, packages }) => ({
        name,
        key,
        definition,
        diffId,
        ...(archiveTime === undefined ? {} : { archiveTime }),
        ...(packages === undefined
          ? {}
          : { packages: sorted(packages, ({ version, sha256: hash, url }) => ({ version, sha256: hash, url })) }),
      })),
    })),
  };
  const { lockVersion: first, ...others } = rest;
  return `${JSON.stringify({ lockVersion: first, checksum: sha256(canonicalJson(rest)), ...others }, undefined, 2)}\n`;
}

function sorted<T, U>(members: Readonly<Record<string, T>>, write: (value: T) => U): Record<string, U> {
  return Object.fromEntries(
    Object.entries(members)
      .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([name, value]) => [name, write(value)]),
  );
}

/** Comments and trailing commas are no part of a file that only a program writes. */
function parseStrictly(text: string, path: string): Lock & { readonly checksum: string } {
  try {
    return JSON.parse(text) as Lock & { checksum: string };
  } catch {
    throw invalid(path, 'was changed after devenv wrote it: it is no plain JSON', []);
  }
}

function invalid(path: string, what: string, problems: readonly Problem[]): UserError {
  return new UserError('LOCK_INVALID', `${basename(path)} ${what}.`, {
    hint: 'Take the file of a commit where it was right, or remove it and run devenv lock: that locks what is current now.',
    problems,
  });
}
