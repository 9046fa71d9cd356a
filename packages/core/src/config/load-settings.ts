import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import json from '../../../../schemas/config.schema.json' with { type: 'json' };
import { UserError } from '../base/errors.ts';
import { readText } from '../base/files.ts';
import { isLoopback } from '../base/http.ts';
import { checkSchema } from './check-schema.ts';
import { notAFile } from './find-config.ts';
import { Members } from './members.ts';
import { parseSource } from './parse-source.ts';
import { invalid, Problems } from './problems.ts';
import type { Schema } from './schema.ts';
import type { Node, ObjectNode } from './tree.ts';

const schema = json as unknown as Schema;

/** A user's own settings, from config.json. Paths are absolute. */
export interface Settings {
  readonly registries: Readonly<Record<string, RegistrySettings>>;
  /** Repositories of steps that are believed for every project, and where steps go when the project does not say it. */
  readonly cache: { readonly from: readonly string[]; readonly to: string | undefined };
  /** Where Debian packages are that their archive has no more: a template with {archive}, {timestamp} and {path}. */
  readonly packages: { readonly snapshots: string | undefined };
}

export interface RegistrySettings {
  readonly mirrors?: readonly string[];
  readonly ca?: string;
  readonly insecure?: boolean;
  readonly tokenServer?: string;
}

/**
 * Settings of several files, of which each may be absent; what a later one says of a registry replaces what an earlier one says,
 * and what it says of caches is added.
 * @throws UserError CONFIG_INVALID with every problem of all files
 */
export function loadSettings(paths: readonly string[], env: Readonly<Record<string, string | undefined>>): Settings {
  const problems = new Problems();
  const registries: Record<string, RegistrySettings> = {};
  const from = new Set<string>();
  let to: string | undefined;
  let snapshots: string | undefined;
  for (const path of paths) {
    const root = readObject(path, problems);
    if (!root) continue;
    checkSchema(root, schema, problems);
    if (problems.count > 0) continue;
    Object.assign(registries, readRegistries(root, path, env, problems));
    const cache = new Members(root, problems).object('cache');
    for (const name of cache.texts('from')) from.add(name);
    to = cache.text('to') ?? to;
    snapshots = new Members(root, problems).object('packages').text('snapshots') ?? snapshots;
  }
  if (problems.count > 0) throw invalid(problems.list(paths), paths);
  return { registries, cache: { from: [...from], to }, packages: { snapshots } };
}

function readObject(path: string, problems: Problems): ObjectNode | undefined {
  const trouble = notAFile(path);
  if (trouble !== undefined) throw new UserError('CONFIG_INVALID', `${path} ${trouble}`);
  let text: string | undefined;
  try {
    text = readText(path);
  } catch (cause) {
    throw new UserError('CONFIG_INVALID', `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, { cause });
  }
  const root = text === undefined ? undefined : parseSource(path, text, problems);
  if (!root || root.kind === 'object') return root;
  problems.add('WRONG_TYPE', root, 'The file must be an object.', 'start it with {');
  return undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

function readRegistries(root: ObjectNode, path: string, env: Environment, problems: Problems): Record<string, RegistrySettings> {
  const written = root.members.get('registries')?.value;
  if (written?.kind !== 'object') return {};
  const insecure = (host: string): boolean => valueOf(objectAt(written, host)?.members.get('insecure')?.value) === true;
  return Object.fromEntries(
    [...written.members.keys()].map((host) => {
      const node = objectAt(written, host)!;
      const found: Record<string, unknown> = {};
      for (const [name, { value }] of node.members) found[name] = valueOf(value);
      if (typeof found['ca'] === 'string') found['ca'] = fileNamed(found['ca'], path, env);
      for (const mirror of items(node.members.get('mirrors')?.value)) {
        const url = mirror.kind === 'string' && URL.canParse(mirror.value) ? new URL(mirror.value) : undefined;
        if (!url) problems.add('BAD_VALUE', mirror, 'This is no address.');
        else if (url.protocol === 'http:' && !isLoopback(url.hostname) && !insecure(url.host))
          problems.add(
            'BAD_VALUE',
            mirror,
            `The mirror ${url.host} would be spoken to without encryption.`,
            `use https, or write "${url.host}": { "insecure": true }`,
          );
      }
      return [host, found];
    }),
  );
}

function objectAt(node: ObjectNode, name: string): ObjectNode | undefined {
  const value = node.members.get(name)?.value;
  return value?.kind === 'object' ? value : undefined;
}

function items(node: Node | undefined): readonly Node[] {
  return node?.kind === 'array' ? node.items : [];
}

function valueOf(node: Node | undefined): unknown {
  if (node?.kind === 'array') return node.items.map(valueOf);
  return node && node.kind !== 'object' && node.kind !== 'null' ? node.value : undefined;
}

function fileNamed(name: string, path: string, env: Environment): string {
  if (name === '~' || name.startsWith('~/')) return join(env['HOME'] ?? homedir(), name.slice(1));
  return resolve(dirname(path), name);
}
