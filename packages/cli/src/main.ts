// Not imported, nor is node:process: the namespace object of a module of Node's own loads all that the module would load lazily.
const { createRequire, enableCompileCache } = process.getBuiltinModule('node:module');
const { readFileSync } = process.getBuiltinModule('node:fs');
const path = process.getBuiltinModule('node:path');

// Node keeps compiled code between runs; a directory that cannot be written only costs the gain. Before all other imports.
enableCompileCache(compileCacheDirectory(process.env, process.getuid?.() ?? 0));

// Nobody but a developer of devenv wants a stack trace. Promises that nobody awaited come here too.
let apologised = false;
process.on('uncaughtException', (error) => void apologise(error));

if (isHomeless()) {
  process.stderr.write(
    'Error: The current folder is gone.\nHint: cd to one that exists; to one that was made anew at its place: cd "$PWD"\n',
  );
  process.exit(2);
}

const argv = process.argv.slice(2);
const exitCode = (await enter()) ?? (await others());
// What the work needed has ended; idle connections must not hold the prompt.
process.exit(exitCode);

async function enter(): Promise<number | undefined> {
  if (!argv.includes('exec')) return undefined;
  return await (createRequire(import.meta.url)('./enter.cjs') as typeof import('./enter.ts')).enter(argv);
}

async function others(): Promise<number> {
  const { verbFirst } = await import('./command-line.ts');
  const { verb, rest } = verbFirst(argv);
  const { fastPath } = await import('./fast-path.ts');
  return (await fastPath(verb, rest)) ?? (await (await import('./dispatch.ts')).dispatch(verb, rest));
}

/** Whether the folder that we were started in was removed. */
function isHomeless(): boolean {
  try {
    process.cwd();
    return false;
  } catch {
    return true;
  }
}

async function apologise(error: unknown): Promise<void> {
  if (apologised) process.exit(1); // what should have told of it is broken too
  apologised = true;
  const { describeError } = await import('./render/error.ts');
  const verbose = argv.includes('--verbose') || Boolean(process.env['DEVENV_DEBUG']);
  process.stderr.write(
    `${describeError(undefined, error, { cwd: process.cwd(), color: false, verbose, log: undefined, cancelled: false })}\n`,
  );
  const { exitCodeOf } = await import('./exit-code.ts');
  const { verbFirst } = await import('./command-line.ts');
  const { verb } = verbFirst(argv);
  process.exit(exitCodeOf(verb === 'exec' || verb === 'run' ? verb : 'up', undefined, undefined));
}

/** The cache directory of core's `directories`, which is not loaded yet. */
function compileCacheDirectory(env: NodeJS.ProcessEnv, uid: number): string {
  const base = env['DEVENV_BASE_DIR'];
  if (base) return path.join(base, 'cache/compiled');
  // Root of a user's namespace is that user.
  if (uid === 0 && /^\s*0\s+0\s/.test(readFileSync('/proc/self/uid_map', 'utf8'))) return '/var/cache/devenv/compiled';
  return path.join(env['XDG_CACHE_HOME'] || path.join(env['HOME'] ?? '/', '.cache'), 'devenv/compiled');
}
