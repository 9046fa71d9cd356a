import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import { findImage } from './images.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { openImages, shareStore } from './open-tools.ts';
import { imageOf, pushedTo } from './store/image-store.ts';

export interface PushOptions extends Options {
  /** Of an image on this machine. */
  readonly name: string;
  /** Where to, when it is not the image's own name. */
  readonly target?: string;
}

export interface PushResult {
  readonly name: string;
  /** Of the manifest. */
  readonly digest: string;
  readonly layers: number;
  /** Of them, how many the registry had, in the repository or in another one of its. */
  readonly reused: number;
  /** Bytes that were sent. */
  readonly bytes: number;
  readonly seconds: number;
}

/** Sends an image to the registry that its name says; only what that lacks. @throws UserError IMAGE_NOT_FOUND and those of a registry */
export async function push(options: PushOptions): Promise<PushResult> {
  const started = performance.now();
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const kept = findImage(tools.images, options.name);
  const text = options.target ?? kept.name;
  if (text === undefined)
    throw new UserError('BAD_VALUE', `${options.name} has no name to push it to.`, {
      hint: `Give it one: devenv tag ${options.name} host/name:tag`,
    });
  const reference = parseReference(text);
  if (reference.registry === 'localhost')
    throw new UserError('BAD_VALUE', `${text} names no registry: localhost/… are images of this machine only.`, {
      hint: `Give it another name: devenv tag ${options.name} host/name:tag`,
    });
  const title = familiarName(formatReference(reference));
  const repository = `${reference.registry}/${reference.repository}`;
  const task = { type: 'task', id: `push ${title}`, kind: 'image', title: `push ${title}` } as const;
  options.report({ ...task, state: 'started' });
  const seconds = (): number => (performance.now() - started) / 1000;
  try {
    const image = await imageOf(kept, tools.store, repository);
    let bytes = 0;
    const pushed = await (
      await tools.registry()
    ).put(reference, image, {
      signal: options.signal,
      onBytes(count) {
        bytes += count;
        options.report({ type: 'transfer', id: task.id, bytes });
      },
    });
    for (const same of tools.images.all().filter(({ id }) => id === kept.id)) {
      tools.images.set(
        pushedTo(
          repository,
          same,
          pushed.digest,
          pushed.layers.map(({ blob }) => blob),
        ),
      );
    }
    options.report({ ...task, state: 'done', seconds: seconds() });
    const reused = pushed.layers.filter(({ how }) => how !== 'sent').length;
    return { name: title, digest: pushed.digest, layers: pushed.layers.length, reused, bytes, seconds: seconds() };
  } catch (error) {
    options.report({ ...task, state: 'failed', seconds: seconds() });
    throw error;
  }
}
