import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';

/** What programs say about a file they miss: sh, gcc, node, python, make, npm. */
const complaint =
  /no such file|not found|cannot (?:find|open|stat|access)|can't (?:open|find)|could not (?:read|open|find)|ENOENT|no rule to make target|does not exist/i;

/**
 * The workspace files that a failed step's output complains about although they exist: it did not declare them. Relative to
 * the workspace, at most three.
 */
export function undeclaredInputs(output: string, folder: string, workdir: string, declared: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const line of output.split('\n')) {
    if (!complaint.test(line)) continue;
    for (const [token] of line.matchAll(/[\w@%+~./-]+/g)) {
      const name = token.replace(/[.:]+$/, '');
      const path = posix.normalize(name.startsWith(`${workdir}/`) ? name.slice(workdir.length + 1) : name);
      if (path === '.' || path.startsWith('..') || path.startsWith('/') || path.endsWith('/') || declared.has(path)) continue;
      if (existsSync(join(folder, path))) found.add(path);
      if (found.size === 3) return [...found];
    }
  }
  return [...found];
}
