import { basename } from 'node:path';
import { loadWritten, type LoadOptions } from './load-config.ts';
import { definition, devenvSchema, type Schema } from './schema.ts';
import { placeOf, plainValue, type Node, type ObjectNode, type Spot } from './tree.ts';

export interface ConfigDescription {
  /** Absolute. */
  readonly file: string;
  /** devenv.local.json, when there is one. */
  readonly localFile: string | undefined;
  /** Both files as one. Variables stay as written: what they stand for may be secret. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly origins: readonly Origin[];
}

export interface Origin {
  /** `image`, `env.NAME`, `steps[0]`. */
  readonly path: string;
  /** `devenv.json:4:3`; `default` when no file says it. */
  readonly from: string;
  /** null: a default that no value can say, such as the image's own; or a value that devenv.local.json took away. */
  readonly value: unknown;
  readonly removed: boolean;
}

/**
 * What the files say together, and where each value comes from.
 * @throws UserError as loadConfig: a file with mistakes has no meaning to explain
 */
export function explainConfig(options: LoadOptions): ConfigDescription {
  const { config, tree, localFile } = loadWritten(options);
  const origins = [...originsOfObject(tree, ''), ...defaults(tree, config.name)];
  return { file: config.path, localFile, config: plainValue(tree) as ConfigDescription['config'], origins };
}

function originsOfObject(node: ObjectNode, prefix: string): readonly Origin[] {
  const removed = node.removed.map((key) => ({ path: `${prefix}${memberName(key.name)}`, from: fromOf(key), value: null, removed: true }));
  return [...[...node.members].flatMap(([name, { value }]) => originsOf(value, `${prefix}${memberName(name)}`)), ...removed];
}

/** A list is one value when one file wrote it all. */
function originsOf(node: Node, path: string): readonly Origin[] {
  if (node.kind === 'object' && (node.members.size > 0 || node.removed.length > 0)) return originsOfObject(node, `${path}.`);
  const files = node.kind === 'array' ? new Set(node.items.map((item) => item.source.file)) : new Set();
  if (node.kind === 'array' && (files.size > 1 || path === 'steps' || path === 'mounts'))
    return node.items.map((item, index) => ({ path: `${path}[${index}]`, from: fromOf(item), value: plainValue(item), removed: false }));
  // A list that the local file began or replaced stands there, not where its name was first written.
  return [{ path, from: fromOf(node), value: plainValue(node), removed: false }];
}

function defaults(tree: ObjectNode, name: string): readonly Origin[] {
  const properties = Object.entries(devenvSchema.properties ?? {});
  return properties
    .filter(([property]) => property !== '$schema' && property !== 'image' && !tree.members.has(property))
    .map(([property, schema]) => ({
      path: property,
      from: 'default',
      value: property === 'name' ? name : ((definition(schema) as Schema & { readonly default?: unknown }).default ?? null),
      removed: false,
    }));
}

function fromOf(spot: Spot): string {
  const { file, line, column } = placeOf(spot);
  return `${basename(file)}:${line}:${column}`;
}

/** A name with a dot or other signs in it stands in quotes, so that the path can be read in one way only. */
function memberName(name: string): string {
  return /^[\w$-]+$/.test(name) ? name : JSON.stringify(name);
}
