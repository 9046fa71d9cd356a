import { basename } from 'node:path';
import { commandLine } from './command-line.ts';
import type { Config } from './config.ts';
import { Members } from './members.ts';
import type { PathBase } from './paths.ts';
import type { Problems } from './problems.ts';
import { readHealthcheck } from './read-healthcheck.ts';
import { readHooks } from './read-hooks.ts';
import { readImage } from './read-image.ts';
import { readLimits } from './read-limits.ts';
import { readMounts } from './read-mounts.ts';
import { readPorts } from './read-ports.ts';
import { readSecurity } from './read-security.ts';
import { readSteps } from './read-steps.ts';
import { plainValue, type ObjectNode } from './tree.ts';

/**
 * The checked and filled tree as a Config, and the checks that a schema cannot make. Worth something only when there are
 * no problems afterwards.
 */
export function readConfig(tree: ObjectNode, path: string, base: PathBase, problems: Problems): Config {
  const root = new Members(tree, problems);
  const customizations = root.get('customizations');
  return {
    path,
    folder: base.folder,
    name: root.text('name') ?? (basename(base.folder) || 'root'),
    base: readImage(root, base),
    platform: root.text('platform'),
    args: root.textsByName('args'),
    steps: readSteps(root, base),
    user: root.text('user'),
    workspace: base.workspace,
    command: commandLine(given(root, 'command'), problems),
    entrypoint: commandLine(given(root, 'entrypoint'), problems),
    labels: root.textsByName('labels'),
    healthcheck: readHealthcheck(root),
    env: root.textsByName('env'),
    mounts: readMounts(root, base),
    ports: readPorts(root),
    limits: readLimits(root),
    security: readSecurity(root, base),
    certificates: root.flag('certificates', true),
    cache: { from: [...new Set(root.object('cache').texts('from'))], to: root.object('cache').text('to') },
    hooks: readHooks(root),
    customizations: customizations ? (plainValue(customizations) as Config['customizations']) : {},
  };
}

/** null says in words what absence says: the image's own. */
function given(root: Members, name: string): ReturnType<Members['get']> {
  const node = root.get(name);
  return node?.kind === 'null' ? undefined : node;
}
