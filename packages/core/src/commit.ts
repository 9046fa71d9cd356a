import type { Options } from './contract.ts';
import { chooseContainer } from './choose-container.ts';
import { composedRecord, composeImage } from './compose-image.ts';
import type { Container } from './engine/engine.ts';
import { tagOf, type NewImage } from './import-image.ts';
import { applyChange } from './oci/apply-change.ts';
import { rawConfig, withParameters, type HistoryEntry } from './oci/image-document.ts';
import { hostPlatform, type Platform } from './oci/platform.ts';
import { familiarName } from './oci/reference.ts';
import { openImages, shareStore, type ImageTools } from './open-tools.ts';
import { containerRole } from './run-image.ts';
import { survey } from './survey.ts';
import { baseDocument, historyOfPlan } from './tag-build.ts';

export interface CommitImageOptions extends Options {
  readonly name: string;
  /** One that run left; undefined: this folder's environment. */
  readonly container?: string;
  readonly author?: string;
  readonly message?: string;
  /** Lines of a Dockerfile. */
  readonly changes: readonly string[];
  /** Do not stop it: each file is as it is when it is copied. */
  readonly live: boolean;
}

/** What was changed by hand becomes a layer on the image that the container stands on. It is stopped meanwhile, unless `live`. */
export async function commitImage(options: CommitImageOptions): Promise<NewImage> {
  const name = tagOf(options.name);
  options.changes.reduce(applyChange, {}); // a mistake shows before anything is stopped
  using _store = await shareStore(options);
  const tools = await openImages(options);
  const { container } = await chooseContainer(options, options.container);
  const below = await standsOn(container, tools, options);
  const task = { type: 'task', id: 'commit', kind: 'image', title: `commit ${container.id}` } as const;
  const started = performance.now();
  options.report({ ...task, state: 'started' });
  try {
    const top = await changesOf(container, options.live, options.report);
    const created = new Date().toISOString();
    const entry: HistoryEntry = {
      created,
      created_by: `devenv commit ${container.id}`,
      ...(options.author === undefined ? {} : { author: options.author }),
      ...(options.message === undefined ? {} : { comment: options.message }),
    };
    const composition = {
      top,
      platform: below.platform,
      base: below.document,
      config: options.changes.reduce(applyChange, below.config),
      history: [...below.history, entry],
      created,
      author: options.author,
    };
    const composed = await composeImage(composition, tools.store);
    tools.images.set(composedRecord(name, composed, tools.images.all()));
    options.report({ ...task, state: 'done', seconds: (performance.now() - started) / 1000 });
    return { name: familiarName(name), id: composed.image.id };
  } catch (error) {
    options.report({ ...task, state: 'failed', seconds: (performance.now() - started) / 1000 });
    throw error;
  }
}

/** Who ran runs again afterwards, whatever happens; where that fails, it is said. */
async function changesOf(container: Container, live: boolean, report: CommitImageOptions['report']): ReturnType<Container['commit']> {
  const isRunning = (await container.inspect()).state === 'running';
  if (live || !isRunning) return container.commit();
  await container.stop();
  try {
    return await container.commit();
  } finally {
    try {
      await container.start();
    } catch (error) {
      report({ type: 'notice', level: 'warning', message: staysStopped(container, error) });
    }
  }
}

function staysStopped({ id, labels }: Container, error: unknown): string {
  const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
  const again =
    labels['devenv.role'] === containerRole ? `devenv start ${id}` : `devenv up in ${labels['devenv.workspace'] ?? 'its folder'}`;
  return `The container ${id} was stopped for the commit, and does not start again: ${why}. When that is put right: ${again}`;
}

interface Below {
  readonly platform: Platform;
  readonly document: Buffer | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly HistoryEntry[];
}

/** What the container's image says: of an environment what its file makes of it. */
async function standsOn(container: Container, tools: ImageTools, options: CommitImageOptions): Promise<Below> {
  if (container.labels['devenv.role'] === containerRole) {
    const image = tools.images.all().find(({ id }) => id === container.labels['devenv.image-id']);
    const document = image && Buffer.from(image.document, 'base64');
    return { platform: image?.platform ?? hostPlatform(), document, config: document ? rawConfig(document) : {}, history: [] };
  }
  const found = await survey({ ...options, ...folderOf(container) });
  const document = await baseDocument(found);
  const { plan } = found;
  const created = new Date().toISOString();
  return {
    platform: plan.platform,
    document,
    config: withParameters(document ? rawConfig(document) : {}, plan.image),
    history: historyOfPlan(plan, created),
  };
}

/** An environment that was named may be another folder's. */
function folderOf(container: Container): { readonly cwd?: string } {
  const folder = container.labels['devenv.workspace'];
  return folder === undefined ? {} : { cwd: folder };
}
