import type { CommandClass } from './commands/command.ts';

/** Every command: the explicit table that oclif would otherwise search the disk for. */
export const commands: ReadonlyMap<string, () => Promise<CommandClass>> = new Map<string, () => Promise<CommandClass>>([
  ['init', async () => (await import('./commands/init.ts')).default],
  ['up', async () => (await import('./commands/up.ts')).default],
  ['exec', async () => (await import('./commands/exec.ts')).default],
  ['shell', async () => (await import('./commands/shell.ts')).default],
  ['run', async () => (await import('./commands/run.ts')).default],
  ['code', async () => (await import('./commands/code.ts')).default],
  ['stop', async () => (await import('./commands/stop.ts')).default],
  ['start', async () => (await import('./commands/start.ts')).default],
  ['down', async () => (await import('./commands/down.ts')).default],
  ['ps', async () => (await import('./commands/ps.ts')).default],
  ['logs', async () => (await import('./commands/logs.ts')).default],
  ['status', async () => (await import('./commands/status.ts')).default],
  ['build', async () => (await import('./commands/build.ts')).default],
  ['plan', async () => (await import('./commands/plan.ts')).default],
  ['lock', async () => (await import('./commands/lock.ts')).default],
  ['update', async () => (await import('./commands/update.ts')).default],
  ['verify', async () => (await import('./commands/verify.ts')).default],
  ['diff', async () => (await import('./commands/diff.ts')).default],
  ['why', async () => (await import('./commands/why.ts')).default],
  ['config', async () => (await import('./commands/config.ts')).default],
  ['rm', async () => (await import('./commands/rm.ts')).default],
  ['images', async () => (await import('./commands/images.ts')).default],
  ['pull', async () => (await import('./commands/pull.ts')).default],
  ['push', async () => (await import('./commands/push.ts')).default],
  ['login', async () => (await import('./commands/login.ts')).default],
  ['logout', async () => (await import('./commands/logout.ts')).default],
  ['search', async () => (await import('./commands/search.ts')).default],
  ['history', async () => (await import('./commands/history.ts')).default],
  ['inspect', async () => (await import('./commands/inspect.ts')).default],
  ['import', async () => (await import('./commands/import.ts')).default],
  ['tag', async () => (await import('./commands/tag.ts')).default],
  ['rmi', async () => (await import('./commands/rmi.ts')).default],
  ['save', async () => (await import('./commands/save.ts')).default],
  ['load', async () => (await import('./commands/load.ts')).default],
  ['stats', async () => (await import('./commands/stats.ts')).default],
  ['du', async () => (await import('./commands/du.ts')).default],
  ['commit', async () => (await import('./commands/commit.ts')).default],
  ['export', async () => (await import('./commands/export.ts')).default],
  ['cp', async () => (await import('./commands/cp.ts')).default],
  ['gc', async () => (await import('./commands/gc.ts')).default],
  ['doctor', async () => (await import('./commands/doctor.ts')).default],
  // It speaks of this table, and so cannot import it.
  ['completion', async () => (await import('./commands/completion.ts')).completionOf(commands)],
]);

/** Those that Docker's users know: the help names them, and each explains itself. */
export const imageCommands: readonly string[] = [
  ...['images', 'pull', 'push', 'tag', 'rmi', 'save', 'load', 'import', 'export', 'commit', 'history'],
  ...['inspect', 'cp', 'start', 'rm', 'login', 'logout', 'search'],
];
