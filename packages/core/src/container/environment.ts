import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { sha256 as quickSha256 } from '@noble/hashes/sha2.js';
import { sha256 } from '../base/canonical-json.ts';
import type { Directories } from '../base/directories.ts';
import { UserError } from '../base/errors.ts';
import { isMissing, readJson, readText, writeFileAtomically } from '../base/files.ts';
import { lock } from '../base/locks.ts';
import { areStrings, hasStrings, isObject } from '../base/shape.ts';
import type { ContainerSpec } from '../engine/engine.ts';
import type { PlannedContainer } from '../plan/plan.ts';
import type { HookCommand, HooksDone } from './run-hooks.ts';

/** 16 hexadecimal digits. Two worktrees are two environments; root and a user never share one. */
export type EnvironmentId = string & { readonly __brand: 'EnvironmentId' };

export interface EnvironmentPlace {
  /** The workspace's real path. */
  readonly folder: string;
  /** The real path of the config file. */
  readonly configFile: string;
  readonly engine: string;
  /** User id of the caller. */
  readonly uid: number;
}

export function environmentId(place: EnvironmentPlace): EnvironmentId {
  const text = [place.folder, place.configFile, place.engine, String(place.uid)].join('\0');
  // Not Node's own: every entering needs the id and nothing else of node:crypto, which takes long to load.
  return Buffer.from(quickSha256(Buffer.from(text))).toString('hex', 0, 8) as EnvironmentId;
}

/** The version of the record below. */
const recordSchema = 1;

/** What an environment follows from its file that its container does not hold. */
export interface EnvironmentDescription {
  readonly name: string;
  /** For each new shell: entering does not read the file. */
  readonly attach: readonly HookCommand[];
  readonly healthcheck?: PlannedContainer['healthcheck'];
  /** SHA-256 of the profile that `security.seccomp` names; absent when it names none. */
  readonly seccompProfile?: string;
}

/** What is kept of an environment: enough to enter it, and to find out what changed since it was made. */
export interface EnvironmentRecord extends EnvironmentDescription {
  readonly schema: typeof recordSchema;
  readonly environmentId: EnvironmentId;
  readonly folder: string;
  readonly configFile: string;
  /** What the container was made from. */
  readonly spec: ContainerSpec;
  /** The hooks that have run in this container. */
  readonly hooksDone: HooksDone;
  /** ISO 8601, UTC. */
  readonly createdAt: string;
}

/** As much of a record as also a newer devenv's is understood. */
export type EnvironmentSummary = Pick<EnvironmentRecord, 'environmentId' | 'name' | 'folder' | 'configFile' | 'createdAt'> & {
  readonly spec: Pick<ContainerSpec, 'id'> & { readonly command?: unknown };
};

/** What the environment of a planned container is to follow. */
export function describeEnvironment({ name, hooks, healthcheck, security }: PlannedContainer): EnvironmentDescription {
  const profile = security.seccomp.startsWith('/') ? readText(security.seccomp) : undefined;
  return {
    name,
    attach: hooks.attach,
    ...(healthcheck === undefined ? {} : { healthcheck }),
    ...(profile === undefined ? {} : { seccompProfile: sha256(profile) }),
  };
}

/** The records of all environments of this user on this machine. */
export class Environments {
  private readonly directories: Directories;

  constructor(directories: Directories) {
    this.directories = directories;
  }

  /** Folder with the environment's record, names and remembered hashes. */
  folder(id: EnvironmentId): string {
    return join(this.directories.state, 'environments', id);
  }

  /** A damaged record is none: the environment is made anew. @throws UserError STORE_FORMAT */
  read(id: EnvironmentId): EnvironmentRecord | undefined {
    const record = this.load(id);
    if (!isObject(record)) return undefined;
    if (Number(record['schema']) > recordSchema) {
      throw new UserError('STORE_FORMAT', `The environment ${id} was made by a newer devenv.`, {
        hint: 'Use the newer devenv, or remove the environment: devenv down',
      });
    }
    return isRecord(record) && record.environmentId === id ? record : undefined;
  }

  /** Reads also what a newer devenv made: enough to list and to remove it. */
  summary(id: EnvironmentId): EnvironmentSummary | undefined {
    const record = this.load(id);
    return isSummary(record) && record.environmentId === id ? record : undefined;
  }

  private load(id: EnvironmentId): unknown {
    return readJson(join(this.folder(id), 'environment.json'));
  }

  write(record: Omit<EnvironmentRecord, 'schema'>): void {
    writeFileAtomically(join(this.folder(record.environmentId), 'environment.json'), JSON.stringify({ ...record, schema: recordSchema }));
  }

  /** Drops all that is kept of it, remembered names included: the next `up` asks what they mean now. */
  forget(id: EnvironmentId): void {
    rmSync(this.folder(id), { recursive: true, force: true });
  }

  list(): readonly EnvironmentSummary[] {
    try {
      return readdirSync(join(this.directories.state, 'environments'))
        .map((id) => this.summary(id as EnvironmentId))
        .filter((record) => record !== undefined);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** One command at a time changes an environment. */
  lock(id: EnvironmentId, signal: AbortSignal, onWait: () => void): Promise<Disposable> {
    return lock(join(this.directories.runtime, 'environments', id), { signal, onWait });
  }
}

function isSummary(record: unknown): record is EnvironmentSummary {
  if (!isObject(record) || !hasStrings(record, 'environmentId', 'name', 'folder', 'configFile', 'createdAt')) return false;
  return isObject(record['spec']) && hasStrings(record['spec'], 'id');
}

function isRecord(record: unknown): record is EnvironmentRecord {
  if (!isSummary(record)) return false;
  const { schema, attach, hooksDone, healthcheck, spec }: Partial<Record<keyof EnvironmentRecord, unknown>> = record;
  const hooks = Array.isArray(attach) && attach.every((hook) => isObject(hook) && areStrings(hook['command']));
  return schema === recordSchema && hooks && isObject(hooksDone) && (healthcheck === undefined || isObject(healthcheck)) && isSpec(spec);
}

function isSpec(spec: unknown): spec is ContainerSpec {
  if (!isObject(spec) || !hasStrings(spec, 'id', 'hostname', 'user', 'workdir') || !areStrings(spec['command'])) return false;
  const lists = [spec['mounts'], spec['ports']];
  return (
    lists.every((list) => Array.isArray(list) && list.every(isObject)) &&
    ['labels', 'env', 'limits', 'security'].every((name) => isObject(spec[name]))
  );
}
