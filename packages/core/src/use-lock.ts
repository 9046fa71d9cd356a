import { basename, join } from 'node:path';
import { UserError } from './base/errors.ts';
import { PackageStore } from './build/package-store.ts';
import type { Config } from './config/config.ts';
import type { BuildOptions } from './contract.ts';
import { lockPath, type Lock } from './lock/lock.ts';
import { readLock } from './lock/lock-file.ts';
import { openSettings, type Tools } from './open-tools.ts';
import type { Plan } from './plan/plan.ts';
import { defaultEpoch } from './store/normalise.ts';

/** The lock that stands beside the file. @throws UserError LOCK_INVALID */
export function lockOf(config: Pick<Config, 'path'>): Lock | undefined {
  const path = lockPath(config.path);
  const lock = readLock(path);
  if (lock && lock.epoch !== defaultEpoch)
    throw new UserError('LOCK_INVALID', `${basename(path)} has the epoch ${lock.epoch}; this devenv makes layers with ${defaultEpoch}.`, {
      hint: 'Use the devenv that wrote it, or remove it and run devenv lock.',
    });
  return lock;
}

/** @throws UserError LOCK_OUTDATED when the plan has something that the lock does not name, or there is no lock */
export function requireCovered(config: Pick<Config, 'path'>, { outdated }: Plan): void {
  const [file, lock] = [basename(config.path), basename(lockPath(config.path))];
  const hint = 'devenv lock writes it; then commit it.';
  if (!outdated) throw new UserError('LOCK_OUTDATED', `There is no ${lock} beside ${file}.`, { hint });
  if (outdated.length > 0) throw new UserError('LOCK_OUTDATED', `${lock} does not cover ${file}:\n  ${outdated.join('\n  ')}`, { hint });
}

/** What lies on this machine can be looked at; nobody else is asked. */
export function offlineRegistry(registry: Tools['registry']): Tools['registry'] {
  return async (source) => {
    if (source) return registry(source);
    throw new UserError('OFFLINE', 'What the name of the base image means is not known here.', { hint });
  };
}

const hint = 'Run the same once without --offline: then it is here.';

/** `all`: every step runs, whatever is here. @throws UserError OFFLINE with everything that would have to be fetched */
export function requireHere(plan: Plan, packages: PackageStore, all: boolean): void {
  const missing: string[] = [];
  const installs = (name: string, locked: Plan['base']['locked']): void => {
    if (!locked) missing.push(`${name}: its packages are not locked (devenv lock)`);
    else missing.push(...packages.missing(locked).map((absent) => `${name}: the package ${absent}`));
  };
  const { base } = plan;
  if (base.state === 'runs') {
    if (base.definition.kind === 'debian') installs(base.title, base.locked);
    else if (base.definition.kind === 'image' && !base.definition.local) missing.push(`the image ${base.title}`);
  }
  for (const { state, definition, name, locked } of plan.steps)
    if ((all || state === 'runs') && (definition.kind === 'apt' || locked)) installs(name, locked);
  if (missing.length > 0)
    throw new UserError('OFFLINE', `This is not on this machine, and --offline was given:\n  ${missing.join('\n  ')}`, { hint });
}

/** Where the packages that locks name come from, and where they are kept. */
export async function choosePackages(
  { directories }: Pick<Tools, 'directories'>,
  options: Pick<BuildOptions, 'env' | 'offline'>,
): Promise<PackageStore> {
  const { snapshots } = (await openSettings(options)).packages;
  return new PackageStore({ folder: join(directories.cache, 'packages'), env: options.env, snapshots, offline: options.offline ?? false });
}
