import { join, posix } from 'node:path';
import type { Problems } from './problems.ts';
import type { StringNode } from './tree.ts';

/** Where paths of the file start. */
export interface PathBase {
  /** The folder of devenv.json, absolute. */
  readonly folder: string;
  readonly home: string | undefined;
  /** The workspace's path inside. */
  readonly workspace: string;
}

/**
 * A path or glob of the workspace in its one spelling: relative, without `.` and without `/` at the end. undefined, with
 * a problem, when it leads out of the workspace.
 */
export function workspacePath(node: StringNode, text: string, base: PathBase, problems: Problems): string | undefined {
  const shown = JSON.stringify(text);
  if (text.startsWith('/') || text.startsWith('~/') || text === '~') {
    const inside = [base.workspace, base.folder].find((folder) => text.startsWith(`${folder}/`));
    const hint = inside ? `write ${JSON.stringify(text.slice(inside.length + 1))}` : 'paths here are relative to the folder of devenv.json';
    problems.add('PATH_OUTSIDE', node, `${shown} is not a path of the workspace.`, hint);
    return undefined;
  }
  const normal = posix.normalize(text).replace(/\/+$/, '');
  // Also `{..,a}/b`: a glob must not climb out by way of its alternatives.
  if (/(?:^|[/{,(|])\.\.(?:$|[/},)|])/.test(normal)) {
    problems.add('PATH_OUTSIDE', node, `${shown} leads out of the workspace.`, 'copy what is needed into the workspace, or mount it');
    return undefined;
  }
  return normal || '.';
}

/** An absolute path inside in its one spelling; a `/` at the end stays when `keepSlash`. */
export function containerPath(text: string, options: { readonly keepSlash?: boolean } = {}): string {
  const normal = posix.normalize(text);
  return options.keepSlash || normal === '/' ? normal : normal.replace(/\/+$/, '');
}

/** What the runtime itself mounts; below /dev and /sys there is room. */
export function isReserved(path: string): boolean {
  return ['/dev', '/sys', '/proc', '/run/devenv'].includes(path) || path.startsWith('/proc/') || path.startsWith('/run/devenv/');
}

/** A path of this machine, absolute: `~` is the user's home, the rest is relative to the folder of devenv.json. */
export function hostPath(node: StringNode, base: PathBase, problems: Problems): string {
  const text = node.value;
  if (text !== '~' && !text.startsWith('~/')) {
    if (text.startsWith('~'))
      problems.add(
        'BAD_VALUE',
        node,
        `${JSON.stringify(text)} cannot be followed.`,
        'only ~/ is known; write ./~… for a file of this name',
      );
    return withoutSlash(text.startsWith('/') ? join(text) : join(base.folder, text));
  }
  if (!base.home?.startsWith('/')) problems.add('BAD_VALUE', node, '~ has no meaning: HOME is not set.');
  return withoutSlash(join(base.home ?? '/', text.slice(1)));
}

function withoutSlash(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path;
}
