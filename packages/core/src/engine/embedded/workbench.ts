import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, fchmodSync, fchownSync, lchownSync, openSync, readSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { UserError } from '../../base/errors.ts';
import type { CommitOptions, Draft, LayerId } from '../../store/layer-store.ts';
import type { PutEntry, StepProcess, Workbench } from '../engine.ts';
import { enterEngineNamespace } from './oci-runtime.ts';
import { detachAll } from './overlay.ts';
import { runStep } from './step-container.ts';
import type { StorageDriver, Tree } from './storage/storage-driver.ts';
import { find, type Owner } from './tree.ts';
import { lookUpUser } from './user.ts';
import type { WorkbenchContext } from './workbench-context.ts';

type Copies = NonNullable<CommitOptions['copies']>;
type Copy = Copies extends ReadonlyMap<string, infer Value> ? Value : never;

/** A draft, mounted as a whole tree in our mount namespace. */
export class EmbeddedWorkbench implements Workbench {
  private readonly draft: Draft;
  private readonly context: WorkbenchContext;
  private readonly driver: StorageDriver;
  private readonly shown: Tree;
  private readonly copies = new Map<string, Copy>();
  /** Made for the step only: paths relative to the tree's root, in the order they were made, parents first. */
  private readonly litter = new Set<string>();
  private mounted = true;

  static async open(parent: LayerId | undefined, context: WorkbenchContext): Promise<EmbeddedWorkbench> {
    const driver = await context.storage.choose();
    const draft = await context.store.draft(parent);
    try {
      enterEngineNamespace();
      const layers = await context.store.stack(parent);
      const tree = { layers, upper: draft.upper, work: draft.work, target: draft.merged, volatile: true };
      await driver.mount(tree);
      return new EmbeddedWorkbench({ draft, driver, tree, context });
    } catch (error) {
      await context.storage.release(draft);
      await draft[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(parts: {
    readonly draft: Draft;
    readonly driver: StorageDriver;
    readonly tree: Tree;
    readonly context: WorkbenchContext;
  }) {
    this.draft = parts.draft;
    this.driver = parts.driver;
    this.shown = parts.tree;
    this.context = parts.context;
  }

  /** The whole tree, as our own processes see it. */
  get tree(): string {
    return this.draft.merged;
  }

  async put(entry: PutEntry): Promise<void> {
    const tree = this.draft.merged;
    const owner: Owner = entry.owner === undefined ? { uid: 0, gid: 0 } : lookUpUser(tree, entry.owner);
    const onMade = entry.temporary ? (path: string): void => void this.litter.add(relative(path)) : undefined;
    if (entry.content.type === 'directory') {
      using place = find(tree, entry.path, { create: { uid: owner.uid, gid: owner.gid, mode: entry.mode, onMade } });
      if (!place?.stats.isDirectory()) throw blocked(entry.path);
      return;
    }
    using parent = find(tree, dirname(entry.path), { create: { uid: 0, gid: 0, mode: 0o755, onMade } });
    if (!parent?.stats.isDirectory()) throw blocked(dirname(entry.path));
    const name = basename(entry.path);
    const address = `${parent.magic}/${name}`;
    using there = find(parent.magic, name, { keepLink: true });
    if (there?.stats.isDirectory())
      throw new UserError('BAD_VALUE', `${entry.path} is a directory in the image: a file cannot take its place`);
    if (there) rmSync(address);
    if (entry.content.type === 'symlink') {
      symlinkSync(entry.content.target, address);
      lchownSync(address, owner.uid, owner.gid);
    } else {
      copyFile(entry.content, address, owner, entry.mode);
    }
    // Only what was not there before may go again.
    if (entry.temporary && !there) {
      const path = relative(`${parent.path}/${name}`);
      this.copies.set(
        path,
        entry.content.type === 'symlink' ? { target: entry.content.target } : { sha256: entry.content.sha256, mode: entry.mode },
      );
    }
  }

  run(process: StepProcess): Promise<{ readonly exitCode: number; readonly oomKilled: boolean }> {
    return runStep(process, {
      ...this.context,
      id: `step-${basename(this.context.directory)}-${randomBytes(3).toString('hex')}`,
      tree: this.draft.merged,
      onMade: (path) => void this.litter.add(relative(path)),
    });
  }

  async commit(): Promise<LayerId> {
    this.unmount();
    await this.driver.collect(this.shown);
    return await this.draft.commit({ copies: this.copies, litter: [...this.litter] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.unmount();
    await this.driver.release(this.draft);
    await this.draft[Symbol.asyncDispose]();
  }

  private unmount(): void {
    if (this.mounted) detachAll(this.draft.merged);
    this.mounted = false;
  }
}

function copyFile(content: Extract<PutEntry['content'], { type: 'file' }>, address: string, owner: Owner, mode: number): void {
  const source = openSync(content.source, constants.O_RDONLY);
  const target = openSync(address, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW, 0o600);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(256 * 1024);
    for (let length = readSync(source, buffer); length > 0; length = readSync(source, buffer)) {
      const chunk = buffer.subarray(0, length);
      hash.update(chunk);
      for (let written = 0; written < length;) written += writeSync(target, chunk, written);
    }
    fchownSync(target, owner.uid, owner.gid);
    fchmodSync(target, mode); // after the owner, who changes takes set-uid bits away
    // The step's key says what was to be read.
    if (hash.digest('hex') !== content.sha256)
      throw new UserError('DIGEST_MISMATCH', `${content.source} changed while devenv read it`, { hint: 'run the command again' });
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function blocked(path: string): UserError {
  return new UserError('BAD_VALUE', `${path} cannot be a directory: something else is in its way in the image`);
}

function relative(path: string): string {
  return path.replace(/^\/+/, '');
}
