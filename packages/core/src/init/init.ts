import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../base/errors.ts';
import { configFileName } from '../config/find-config.ts';
import { hostPlatform } from '../oci/platform.ts';
import type { Registry } from '../registry/registry.ts';
import { ciJob, type CiSystem } from './ci-job.ts';
import { propose } from './propose.ts';
import type { Proposal } from './proposal.ts';
import { readBaseImage } from './read-base-image.ts';
import { renderConfig } from './render-config.ts';
import { readRepository } from './repository.ts';

export interface InitWishes {
  readonly cwd: string;
  /** Where to write instead of devenv.json, relative to cwd. */
  readonly configFile?: string;
  /** Name of an image to stand on. */
  readonly from?: string;
  /** A bare Debian as the base, whatever the repository says. */
  readonly debian?: boolean;
  /** Also write a job for this system. */
  readonly ci?: CiSystem;
  /** Replace a devenv.json that is there. */
  readonly force?: boolean;
  /** Write nothing. */
  readonly dryRun?: boolean;
}

export interface InitFile {
  /** Absolute. */
  readonly path: string;
  /** `kept`: a file of this name was there and is as it was. */
  readonly state: 'written' | 'kept' | 'not written';
  /** What the file says, or would say. */
  readonly text: string;
}

export interface InitResult {
  /** `Node.js 24 (.nvmrc)`. */
  readonly recognised: readonly string[];
  readonly files: readonly InitFile[];
}

/**
 * Writes a devenv.json for the repository in cwd, and a job for a CI system when asked. Of a devenv.json that is there, only the job is
 * made; files of a CI system are never replaced.
 * @throws UserError CONFIG_EXISTS, NOT_WRITABLE; with `from` also what Registry throws
 */
export async function init(wishes: InitWishes, registry: () => Promise<Registry>): Promise<InitResult> {
  const path = resolve(wishes.cwd, wishes.configFile ?? configFileName);
  const folder = dirname(path);
  const repository = readRepository(folder);
  const there = repository.has(basename(path));
  if (there && !wishes.force && !wishes.dryRun && !wishes.ci) throw exists(path);
  const base = wishes.debian
    ? 'debian'
    : wishes.from === undefined
      ? undefined
      : await readBaseImage(wishes.from, await registry(), hostPlatform());
  const proposal = propose(repository, { base });

  const files: InitFile[] = [];
  if (!there || wishes.force || !wishes.ci) files.push(write(path, renderConfig(proposal), wishes, wishes.force ?? false));
  if (wishes.ci) {
    const job = ciJob(wishes.ci, { test: proposal.test, inputs: inputsOf(proposal) });
    files.push(write(join(folder, job.path), job.text, wishes, false));
  }
  return { recognised: proposal.recognised, files };
}

function write(path: string, text: string, wishes: InitWishes, replace: boolean): InitFile {
  if (wishes.dryRun) return { path, state: 'not written', text };
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: replace ? 'w' : 'wx' });
    return { path, state: 'written', text };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'EEXIST') return { path, state: 'kept', text };
    throw new UserError('NOT_WRITABLE', `${path} cannot be written: ${code ?? String(cause)}`, { cause });
  }
}

function inputsOf({ steps }: Proposal): readonly string[] {
  return [...new Set(steps.flatMap(({ step }) => ('inputs' in step ? (step.inputs ?? []) : [])))];
}

function exists(path: string): UserError {
  return new UserError('CONFIG_EXISTS', `There is a ${basename(path)} already.`, {
    hint: 'devenv init --dry-run shows what it would say; --force replaces it.',
  });
}
