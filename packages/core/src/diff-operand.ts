import { statSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import type { Options } from './contract.ts';
import { UserError } from './base/errors.ts';
import type { Parameters } from './compare/compare-sides.ts';
import type { LayerFacts } from './compare/file-facts.ts';
import { readDirectory } from './compare/read-directory.ts';
import { loadConfig } from './config/load-config.ts';
import type { EnvironmentRecord } from './container/environment.ts';
import type { PortMapping } from './engine/engine.ts';
import { shownName } from './images.ts';
import { lockPath } from './lock/lock.ts';
import { readLock } from './lock/lock-file.ts';
import type { Image, ImageConfig, Layer } from './oci/image.ts';
import { formatPlatform, hostPlatform } from './oci/platform.ts';
import { familiarName, formatReference, parseReference } from './oci/reference.ts';
import { openTools, type ImageTools } from './open-tools.ts';
import { localReference, localRegistry } from './registry/local.ts';
import { imageOf } from './store/image-store.ts';
import type { LayerId, LayerStore } from './store/layer-store.ts';
import { findContainer, survey, topLayer, type Survey } from './survey.ts';

/** What a word of the command line means. */
export type Operand =
  | { readonly kind: 'environment' }
  /** What the environment stands on. */
  | { readonly kind: 'below' }
  | { readonly kind: 'file' }
  /** Without a path: that beside the file. */
  | { readonly kind: 'lock'; readonly path?: string }
  | { readonly kind: 'image'; readonly name: string; readonly production: boolean }
  | { readonly kind: 'archive' | 'layout'; readonly path: string };

/** One of the two that are compared. */
export interface Side {
  readonly title: string;
  readonly parameters: Parameters;
  /** Lowest first: here, or wherever the image is. */
  readonly layers: readonly (LayerId | Layer)[];
  /** Nobody has checked yet that the layers are what they are said to be. */
  readonly claimed?: boolean;
  /** What was changed by hand on top of them. */
  readonly changes?: () => Promise<LayerFacts>;
}

/** @throws UserError USAGE */
export function parseOperand(text: string, { cwd }: Pick<Options, 'cwd'>): Operand {
  const [, prefix, rest] = /^(image|prod|archive):(.+)$/s.exec(text) ?? [];
  if (prefix === 'image' || prefix === 'prod') return { kind: 'image', name: rest!, production: prefix === 'prod' };
  if (prefix === 'archive') return localOperand(rest!, cwd);
  if (text === 'env') return { kind: 'environment' };
  if (text === 'image') return { kind: 'below' };
  if (text === 'file' || text === 'devenv.json') return { kind: 'file' };
  if (text === 'lock') return { kind: 'lock' };
  if (text.endsWith('-lock.json')) return { kind: 'lock', path: resolve(cwd, text) };
  if (/^[./]/.test(text) || /\.(?:tar|tgz|tar\.gz|tar\.zst)(?:#|$)/.test(text)) return localOperand(text, cwd);
  if (text === '')
    throw new UserError('USAGE', 'What is compared has no name.', {
      hint: 'Write env, image, file, lock, the name of an image, or a path.',
    });
  return { kind: 'image', name: text, production: false };
}

function localOperand(text: string, cwd: string): Operand {
  const path = resolve(cwd, text);
  return { kind: statSync(path.split('#')[0]!, { throwIfNoEntry: false })?.isDirectory() ? 'layout' : 'archive', path };
}

export async function openSide(operand: Operand, options: Options, tools: ImageTools): Promise<Side> {
  switch (operand.kind) {
    case 'environment':
    case 'below':
      return environmentSide(operand.kind, options, tools);
    case 'file':
      return fileSide(options, tools);
    case 'lock':
      return lockSide(operand.path ?? lockPath(loadConfig(options).path), tools);
    case 'image':
      return imageSide(operand.name, options, tools);
    case 'archive':
    case 'layout': {
      const registry = await localRegistry(operand, join(tools.directories.cache, 'archives'));
      return { ...sideOfImage(operand.path, await registry.get(localReference, hostPlatform())), claimed: true };
    }
    default:
      throw new Error(`unexpected operand: ${JSON.stringify(operand satisfies never)}`);
  }
}

async function environmentSide(kind: 'environment' | 'below', options: Options, { store }: ImageTools): Promise<Side> {
  const found = await survey(options);
  const container = await findContainer(found.tools, found.environmentId);
  const record = found.environments.read(found.environmentId);
  if (!container || !record)
    throw new UserError('NOT_RUNNING', `There is no environment for ${found.config.folder} yet.`, { hint: 'Start it: devenv up' });
  const parameters = environmentParameters(found, record, container.layer);
  const layers = await stackOf(container.layer, store);
  return kind === 'below'
    ? { title: 'its image', parameters, layers }
    : {
        title: `the environment ${record.name}`,
        parameters,
        layers,
        changes: () => container.changes((directory) => readDirectory(directory, { passing: true })),
      };
}

/** Proxies and certificates of this machine are how bytes travel, and no part of what an environment is. */
function environmentParameters(found: Survey, { spec }: EnvironmentRecord, layer: LayerId | undefined): Parameters {
  const transport: Readonly<Record<string, string>> = found.transport.env;
  const own = Object.entries(spec.env).filter(([name, value]) => transport[name] !== value);
  return {
    platform: formatPlatform(found.plan.platform),
    environment: Object.fromEntries(own),
    user: userOf(spec.user),
    ports: portsOf(spec.ports),
    limits: limitsOf(spec.limits),
    // What the image would run is in the file only, which may be another one by now.
    ...(topLayer(found) === layer ? { command: commandOf(found.plan.image) } : {}),
  };
}

async function fileSide(options: Options, { store }: ImageTools): Promise<Side> {
  const found = await survey(options);
  const { plan } = found;
  const missing = [plan.base, ...plan.steps].find(({ state }) => state === 'runs');
  if (missing) {
    const what = 'name' in missing ? `the step "${missing.name}"` : missing.title;
    throw new UserError('NOT_BUILT', `What devenv.json asks for is not here yet: ${what} has not run.`, {
      hint: 'Run devenv build first.',
    });
  }
  const { container, image, platform } = plan;
  return {
    title: 'devenv.json',
    layers: await stackOf(topLayer(found), store),
    parameters: {
      platform: formatPlatform(platform),
      environment: container.env,
      user: userOf(container.user),
      ports: portsOf(container.ports),
      limits: limitsOf(container.limits),
      command: commandOf(image),
    },
  };
}

/** A lock says what layers are, not what is in them: they have to be here. */
async function lockSide(path: string, { store }: ImageTools): Promise<Side> {
  const name = basename(path);
  const platform = formatPlatform(hostPlatform());
  const layers = readLock(path)?.platforms[platform]?.layers;
  if (!layers) throw new UserError('NOT_BUILT', `There is no ${name} for ${platform}.`, { hint: 'devenv lock writes it.' });
  let top: LayerId | undefined;
  for (const { name: step, key, diffId } of layers) {
    const layer = (await store.get(key))?.layer;
    if (layer === undefined || ((await store.info(layer))?.diffId ?? (await store.open(layer)).diffId) !== diffId)
      throw new UserError('NOT_BUILT', `The layer of "${step}" that ${name} names is not here.`, {
        hint: 'Run devenv build first; devenv verify says whether it gives that layer.',
      });
    top = layer;
  }
  if (top === undefined)
    throw new UserError('USAGE', `${name} names no layer that is made here.`, { hint: 'Compare with the image that it names.' });
  return { title: name, layers: await stackOf(top, store), parameters: { platform } };
}

/** What was pulled before serves where the registry does not answer. */
async function imageSide(name: string, options: Options, tools: ImageTools): Promise<Side> {
  const kept = /^(?:sha256:)?[0-9a-f]{3,64}$/.test(name) ? tools.images.find(name) : undefined;
  if (kept) return sideOfImage(shownName(kept) ?? name, await imageOf(kept, tools.store));
  const reference = parseReference(name);
  const registry = await (await openTools(options)).registry();
  const meaning = await registry.resolve(reference, hostPlatform());
  if (!meaning)
    throw new UserError(
      'IMAGE_NOT_FOUND',
      `Neither this machine nor its registry has an image ${name} for ${formatPlatform(hostPlatform())}.`,
      {
        hint: 'devenv images lists those here; a file is named by a path: ./image.tar',
      },
    );
  return sideOfImage(
    familiarName(formatReference(reference)),
    await registry.get({ ...reference, digest: meaning.manifest }, hostPlatform()),
  );
}

function sideOfImage(title: string, { config, platform, layers }: Image): Side {
  return {
    title,
    layers,
    parameters: {
      platform: formatPlatform(platform),
      environment: config.env,
      user: userOf(config.user),
      ports: config.exposedPorts.map((port) => (port.includes('/') ? port : `${port}/tcp`)),
      command: commandOf(config),
    },
  };
}

async function stackOf(top: LayerId | undefined, store: LayerStore): Promise<readonly LayerId[]> {
  const ids: LayerId[] = [];
  for (let next = top; next !== undefined; next = (await store.info(next))?.parent) ids.unshift(next);
  return ids;
}

/** Many ways to say root. */
function userOf(user: string): string {
  return /^(?:|0|root)(?::(?:0|root))?$/.test(user) ? 'root' : user;
}

function portsOf(ports: readonly PortMapping[]): readonly string[] {
  return ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`);
}

function limitsOf(limits: object): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(limits).map(([name, value]) => [name, String(value)]));
}

function commandOf({ entrypoint, command, workdir, stopSignal }: ImageConfig): Readonly<Record<string, string>> {
  return {
    entrypoint: entrypoint.length === 0 ? 'none' : JSON.stringify(entrypoint),
    command: command.length === 0 ? 'none' : JSON.stringify(command),
    directory: workdir === '' ? '/' : workdir,
    'stop signal': stopSignal ?? 'SIGTERM',
  };
}
