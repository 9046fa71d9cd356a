import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Node keeps compiled code between runs; a directory that cannot be written only costs the gain. Before all other imports.
enableCompileCache(compileCacheDirectory(process.env, process.getuid?.() ?? 0));

const argv = process.argv.slice(2);
const { verbFirst } = await import('./command-line.ts');
const { verb, rest } = verbFirst(argv);
const { fastPath } = await import('./fast-path.ts');
const exitCode = (await fastPath(verb, rest)) ?? (await (await import('./dispatch.ts')).dispatch(verb, rest));
// What the work needed has ended; idle connections must not hold the prompt.
process.exit(exitCode);

/** The cache directory of core's `directories`, which is not loaded yet. */
function compileCacheDirectory(env: NodeJS.ProcessEnv, uid: number): string {
  const base = env['DEVENV_BASE_DIR'];
  if (base) return join(base, 'cache/compiled');
  if (uid === 0) return '/var/cache/devenv/compiled';
  return join(env['XDG_CACHE_HOME'] || join(env['HOME'] ?? '/', '.cache'), 'devenv/compiled');
}
