import { existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { copyTree } from '../../store/copy-tree.ts';
import type { CommitOptions, Draft, LayerId } from '../../store/layer-store.ts';
import { defaultEpoch, normalise } from '../../store/normalise.ts';
import { UserError } from '../../base/errors.ts';
import { containerFiles, readRecord } from './container-files.ts';
import { swapOwner } from './id-swap.ts';
import { storageOf, type StartContext } from './start-container.ts';
import { copiedTree } from './storage/copied-tree.ts';
import { writeChanges } from './storage/write-changes.ts';
import type { Owner } from './tree.ts';

/** A copy of what was changed becomes a layer on what the container stands on. The caller holds the container. */
export async function commitContainer(directory: string, context: StartContext): Promise<LayerId> {
  return withChanges(directory, context, (draft, options) => draft.commit(options));
}

/** Shows the change set that `commitContainer` would make a layer of. The caller holds the container. */
export async function showChanges<T>(directory: string, context: StartContext, look: (changes: string) => T): Promise<T> {
  return withChanges(directory, context, async (draft, options, layers) => {
    normalise(draft.upper, layers, defaultEpoch, options);
    return look(draft.upper);
  });
}

async function withChanges<T>(
  directory: string,
  context: StartContext,
  use: (draft: Draft, options: CommitOptions, layers: readonly string[]) => Promise<T>,
): Promise<T> {
  const record = readRecord(directory);
  if (!record) throw new UserError('NOT_RUNNING', 'The container does not exist any more.');
  const files = containerFiles(directory);
  const ownerOf = (owner: Owner): Owner => swapOwner(record.ids, owner);
  const layers = await context.store.stack(record.spec.layer);
  await using draft = await context.store.draft(record.spec.layer);
  if (existsSync(copiedTree(files))) {
    const copy = join(draft.work, 'tree');
    copyTree(copiedTree(files), copy, ownerOf, false);
    await writeChanges(copy, layers, draft.upper, () => false);
  } else {
    rmdirSync(draft.upper);
    copyTree(files.upper, draft.upper, ownerOf, false);
    await storageOf(record, context).collect({ layers, upper: draft.upper, work: draft.work, target: draft.merged });
  }
  return await use(draft, { litter: mountPoints(record.spec.mounts.map(({ target }) => target)) }, layers);
}

/** What mounting may have made in the tree, parents first: gone when it is empty. */
function mountPoints(targets: readonly string[]): readonly string[] {
  const own = ['/dev', '/proc', '/sys', '/run/devenv', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf', '/etc/mtab'];
  const all = [...own, ...targets].flatMap((target) => {
    const parts = target.split('/').filter(Boolean);
    return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
  });
  return [...new Set(all)].toSorted((a, b) => a.split('/').length - b.split('/').length);
}
