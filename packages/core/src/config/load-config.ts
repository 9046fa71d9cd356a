import { dirname, join } from 'node:path';
import { UserError } from '../base/errors.ts';
import { readText } from '../base/files.ts';
import { checkSchema } from './check-schema.ts';
import type { Config } from './config.ts';
import { configFileName, findConfig, foldersUpwards, notAFile, type ConfigLocation } from './find-config.ts';
import { foreignKeyHint } from './foreign-keys.ts';
import { mergeLocal } from './merge.ts';
import { parseSource } from './parse-source.ts';
import { containerPath, isReserved } from './paths.ts';
import { invalid, Problems } from './problems.ts';
import { readConfig } from './read-config.ts';
import { devenvSchema } from './schema.ts';
import type { Node, ObjectNode } from './tree.ts';
import { fillVariables } from './variables.ts';

const localFileName = 'devenv.local.json';

export interface LoadOptions extends ConfigLocation {
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads devenv.json and devenv.local.json beside it, and checks everything they say. Writes nothing, asks nobody; whether
 * the files that they name exist is found out later.
 * @throws UserError CONFIG_NOT_FOUND, or CONFIG_INVALID with every problem of both files, or because one is no file
 */
export function loadConfig(options: LoadOptions): Config {
  return loadWritten(options).config;
}

export interface WrittenConfig {
  readonly config: Config;
  /** What the files say together, as they say it. */
  readonly tree: ObjectNode;
  /** Absolute; undefined: there is none. */
  readonly localFile: string | undefined;
}

/** As loadConfig, with what was written where. */
export function loadWritten(options: LoadOptions): WrittenConfig {
  const path = findConfig(options);
  if (path === undefined) throw notFound(options);
  const folder = dirname(path);
  const localPath = join(folder, localFileName);
  const files = [path, localPath];
  const problems = new Problems();

  const shared = readObject(path, problems);
  if (shared === 'absent') throw notFound(options);
  const local = localPath === path ? 'absent' : readObject(localPath, problems);
  const tree = merge(shared, local === 'absent' ? undefined : local, problems);
  const around = { path, folder, env: options.env };
  const config = tree && check(tree, { ...around, whole: shared !== undefined }, problems);
  // devenv.local.json may hide a mistake that everyone else has. It is on top itself: nothing hides its own.
  if (shared && local !== 'absent') problems.include(mistakesAlone(shared, around));

  if (!config || problems.count > 0) throw invalid(problems.list(files), files);
  return { config, tree, localFile: local === 'absent' ? undefined : localPath };
}

/** The file's object; undefined, with problems, when it has none; `absent` when there is no file. */
function readObject(path: string, problems: Problems): ObjectNode | undefined | 'absent' {
  const trouble = notAFile(path);
  if (trouble !== undefined) throw new UserError('CONFIG_INVALID', `${path} ${trouble}`);
  let text: string | undefined;
  try {
    text = readText(path);
  } catch (cause) {
    throw new UserError('CONFIG_INVALID', `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? String(cause)}`, { cause });
  }
  if (text === undefined) return 'absent';
  const root = parseSource(path, text, problems);
  if (!root || root.kind === 'object') return root;
  problems.add('WRONG_TYPE', root, 'The file must be an object.', 'start it with {');
  return undefined;
}

/** Both files as one. When one cannot be read, the other is still checked, so that all mistakes are reported at once. */
function merge(shared: ObjectNode | undefined, local: ObjectNode | undefined, problems: Problems): ObjectNode | undefined {
  if (!local) return shared;
  return mergeLocal(shared ?? { ...local, members: new Map(), removed: [] }, local, problems);
}

interface Surroundings {
  readonly path: string;
  readonly folder: string;
  /** devenv.json itself could be read, and this is all that was written. */
  readonly whole: boolean;
  readonly env: LoadOptions['env'];
}

function check(tree: ObjectNode, around: Surroundings, problems: Problems): Config {
  const { folder, env } = around;
  const filled = fillVariables(tree, { env, workspaceFolder: folder, containerWorkspaceFolder: workspaceOf(tree) }, problems);
  // After the filling: what a variable brings is checked as if it were written there.
  return checkFilled(filled, around, problems);
}

/**
 * What is wrong in devenv.json whatever is laid over it. What is missing may come from there, and a text that this
 * machine fills in is left alone: that it is no good here may be the reason why it is replaced.
 */
function mistakesAlone(shared: ObjectNode, around: Omit<Surroundings, 'whole'>): Problems {
  const problems = new Problems();
  leaveVariables(shared, problems);
  checkFilled(shared, { ...around, whole: false }, problems);
  return problems;
}

function leaveVariables(node: Node, problems: Problems): void {
  if (node.kind === 'object') for (const { value } of node.members.values()) leaveVariables(value, problems);
  else if (node.kind === 'array') for (const item of node.items) leaveVariables(item, problems);
  else if (node.kind === 'string' && /^~|\$\{/.test(node.value)) problems.markBad(node);
}

function checkFilled(filled: ObjectNode, { path, folder, whole, env }: Surroundings, problems: Problems): Config {
  checkSchema(filled, devenvSchema, problems, { partial: !whole, hintFor: foreignKeyHint });
  const written = filled.members.get('workspace')?.value;
  const workspace = workspaceOf(filled);
  if (written && (workspace === '/' || isReserved(workspace))) problems.add('BAD_VALUE', written, `The workspace cannot be ${workspace}.`);
  return readConfig(filled, path, { folder, workspace, home: env['HOME'] }, problems);
}

function workspaceOf(tree: ObjectNode): string {
  const written = tree.members.get('workspace')?.value;
  return containerPath(written?.kind === 'string' && written.value.startsWith('/') ? written.value : '/workspace');
}

function notFound({ cwd, configFile }: ConfigLocation): UserError {
  if (configFile !== undefined) return new UserError('CONFIG_NOT_FOUND', `There is no file ${configFile} (looked from ${cwd})`);
  const hint = `devenv init writes a ${configFileName} that suits the repository; the least that does something is:\n{\n  "image": { "debian": "bookworm" }, "steps": [{ "apt": ["git"] }]\n}`;
  return new UserError('CONFIG_NOT_FOUND', `There is no ${configFileName} in ${foldersUpwards(cwd).join(', ')}`, { hint });
}
